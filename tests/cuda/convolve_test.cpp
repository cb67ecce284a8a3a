// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/codec/convolve.h"

#include <cmath>

#include "frames.h"
#include "nn/conv.h"

namespace moshi::cuda {
namespace {

using ConvolveKernel = KernelTest;

struct Shape {
  int64_t in;
  int64_t out;
  int64_t kernel;
  int64_t stride = 1;
  int64_t dilation = 1;
  bool transposed = false;
  int64_t steps = 2;  ///< A frame.
};
constexpr Shape kShapes[] = {{1, 64, 7, 1, 1, false, 60},
                             {64, 32, 3, 1, 1, false, 40},
                             {6, 13, 5, 1, 2, false, 10},
                             {12, 20, 3, 1, 4, false, 10},
                             {5, 7, 4, 2, 1, false, 6},
                             {128, 72, 10, 5, 1, false, 20},
                             {64, 40, 16, 8, 1, false, 16},
                             {512, 96, 7},
                             {48, 24, 12, 6, 1, true},
                             {7, 3, 5, 2, 1, true, 5},
                             {192, 64, 1, 1, 1, false, 3},
                             {64, 1, 3, 1, 1, false, 96},
                             {512, 1536, 1},
                             {128, 320, 4, 2, 1, false, 192},
                             {512, 256, 16, 8, 1, false, 16}};

/// A convolution here, in double precision, and there.
struct Convolution {
  Convolution(const Shape& shape, std::optional<double> elu)
      : weight(at::randn(shape.transposed ? at::IntArrayRef{shape.in, shape.out, shape.kernel}
                                          : at::IntArrayRef{shape.out, shape.in, shape.kernel}) /
               std::sqrt(static_cast<double>(shape.in * shape.kernel))),
        bias(at::randn({shape.out})),
        here(made(shape, elu, weight.to(at::kDouble), bias.to(at::kDouble))),
        there(made(shape, {}, weight.to(kGpu), bias.to(kGpu))) {
    there.chunk();
  }
  static nn::Conv made(const Shape& shape, std::optional<double> elu, const at::Tensor& w,
                       const at::Tensor& b) {
    const nn::ConvOptions options{shape.stride, shape.dilation, elu};
    return shape.transposed ? nn::Conv::transposed(w, b, options) : nn::Conv(w, b, options);
  }
  [[nodiscard]] Windows windows(const at::Tensor& steps) const {
    Windows x;
    x.steps = steps.const_data_ptr<float>();
    x.count = static_cast<int>(steps.size(1));
    x.channels = static_cast<int>(there.in_channels());
    x.kernel = static_cast<int>(there.kernel());
    x.stride = static_cast<int>(there.stride());
    x.dilation = static_cast<int>(there.dilation());
    return x;
  }
  /// One frame there: [streams, columns, rows].
  at::Tensor operator()(const at::Tensor& steps, const Streams& streams, Results results = {}) const {
    const Windows x = windows(steps);
    const at::Tensor y = device_zeros({streams.count, x.columns(), there.linear().outputs()}).fill_(NAN);
    results.plain = y.mutable_data_ptr<float>();
    EXPECT_EQ(convolve(there.linear().filter(), x, streams, {}, results, false, nullptr), 0);
    return y;
  }
  [[nodiscard]] int64_t memory() const { return 2 * there.history_steps() * there.in_channels(); }

  at::Tensor weight;
  at::Tensor bias;
  nn::Conv here;
  nn::Conv there;
};

TEST_F(ConvolveKernel, StreamsAsLibTorchDoes) {
  for (const Shape& shape : kShapes) {
    const Convolution convolution(shape, {});
    for (const int streams : {1, 3, 17}) {
      DeviceStreams memories(streams, convolution.memory());
      at::Tensor history = convolution.here.make_history(streams);
      for (int frame = 0; frame < 3; ++frame) {
        SCOPED_TRACE(testing::Message()
                     << shape.in << " to " << shape.out << ", " << streams << ", " << frame);
        const at::Tensor x = at::randn({streams, shape.steps, shape.in});
        const at::Tensor found = convolution(x.to(kGpu), memories.next(first_streams(streams)));
        const at::Tensor expected =
            convolution.here(x.to(at::kDouble), history, nn::Rows::first(streams, at::kCPU));
        EXPECT_LT(relative_error(found.cpu().flatten(), expected.flatten()), 1e-6);
      }
    }
  }
}

TEST_F(ConvolveKernel, StreamsDoNotDependOnTheirCompany) {
  for (const Shape& shape : kShapes) {
    const Convolution convolution(shape, {});
    DeviceStreams crowd(64, convolution.memory());
    DeviceStreams alone(1, convolution.memory());
    for (const int streams : {64, 33, 9, 5, 64}) {
      const at::Tensor x = at::randn({streams, shape.steps, shape.in}).to(kGpu);
      const at::Tensor together = convolution(x, crowd.next(first_streams(streams)));
      const at::Tensor single = convolution(x.narrow(0, 3, 1).contiguous(), alone.next({0}));
      // The crowd's stream 3 has the same past.
      EXPECT_TRUE(at::equal(together[3], single[0])) << shape.in << " to " << shape.out << ", " << streams;
    }
  }
}

TEST_F(ConvolveKernel, NobodysStreamsLeaveOthersAlone) {
  const Convolution convolution(kShapes[0], {});
  DeviceStreams memories(2, convolution.memory());
  DeviceStreams same(2, convolution.memory());
  for (int frame = 0; frame < 3; ++frame) {
    const at::Tensor x = at::randn({3, 60, 1}).to(kGpu);
    const at::Tensor with = convolution(x, memories.next({0, -1, 1}));
    const at::Tensor without = convolution(x.index({at::tensor({0, 2}).to(kGpu)}), same.next({0, 1}));
    EXPECT_TRUE(at::equal(with[0], without[0]));
    EXPECT_TRUE(at::equal(with[2], without[1]));
  }
}

TEST_F(ConvolveKernel, BeginsWithTheFirstStepAgain) {
  const Convolution convolution({24, 16, 4, 2}, {});
  DeviceStreams memories(3, convolution.memory());
  at::Tensor history;
  for (int frame = 0; frame < 3; ++frame) {
    const at::Tensor x = at::randn({3, 2, 24});
    if (frame == 0) history = x.narrow(1, 0, 1).expand({-1, 2, -1}).contiguous().to(at::kDouble);
    const at::Tensor on_device = x.to(kGpu);
    Windows windows = convolution.windows(on_device);
    windows.repeat_first = true;
    const at::Tensor y = device_zeros({3, 1, 16});
    Results results;
    results.plain = y.mutable_data_ptr<float>();
    EXPECT_EQ(convolve(convolution.there.linear().filter(), windows, memories.next({0, 1, 2}), {}, results,
                       false, nullptr),
              0);
    const at::Tensor expected = convolution.here(x.to(at::kDouble), history, nn::Rows::first(3, at::kCPU));
    EXPECT_LT(relative_error(y.cpu(), expected), 1e-6);
  }
}

TEST_F(ConvolveKernel, ActivatesForTheNextLayer) {
  const Convolution convolution(kShapes[1], {});
  DeviceStreams memories(2, convolution.memory());
  const at::Tensor x = at::randn({2, 40, 64}).to(kGpu);
  const at::Tensor active = device_zeros({2, 40, 32});
  Results results;
  results.active = active.mutable_data_ptr<float>();
  results.alpha = 0.5;
  const at::Tensor plain = convolution(x, memories.next({0, 1}), results);
  EXPECT_TRUE(at::allclose(active.cpu(), at::elu(plain.cpu(), 0.5), 1e-6, 1e-7));
}

/// A residual layer's result may take the place of what it is added to, as it is or activated.
TEST_F(ConvolveKernel, AddsInPlace) {
  const Convolution convolution({32, 64, 1, 1, 1, false, 40}, {});
  for (const int streams : {1, 2, 64}) {
    DeviceStreams memories(streams, 1);
    const at::Tensor x = at::randn({streams, 40, 32}).to(kGpu);
    const at::Tensor residual = at::randn({streams, 40, 64}).to(kGpu);
    const at::Tensor active = residual.clone();
    Results results;
    results.residual = residual.const_data_ptr<float>();
    const at::Tensor plain = convolution(x, memories.next(first_streams(streams)), results);
    results.residual = active.const_data_ptr<float>();
    results.active = active.mutable_data_ptr<float>();
    EXPECT_TRUE(at::equal(convolution(x, memories.next(first_streams(streams)), results), plain));
    EXPECT_TRUE(at::allclose(active.cpu(), at::elu(plain.cpu()), 1e-6, 1e-7)) << streams;
  }
}

/// The products of a transformer: normed, activated, scaled and added.
TEST_F(ConvolveKernel, NormsScalesAndAdds) {
  constexpr int64_t kDim = 96;
  constexpr int64_t kRows = 200;
  const at::Tensor weight = at::randn({kRows, kDim}) / 10;
  nn::Linear linear(weight.to(kGpu));
  linear.chunk();
  const at::Tensor scale = at::rand({kRows}).to(kGpu);
  const at::Tensor gain = at::rand({kDim}).to(kGpu);
  const at::Tensor shift = at::randn({kDim}).to(kGpu);
  for (const bool has_mean : {true, false}) {
    at::Tensor alone;
    for (const int streams : {1, 4, 5, 64}) {
      const at::Tensor x = at::randn({64, 2, kDim}).narrow(0, 0, streams).mul(3).add(1).to(kGpu);
      const at::Tensor residual = at::randn({64, 2, kRows}).narrow(0, 0, streams).contiguous().to(kGpu);
      const at::Tensor normed = device_zeros({streams, 2, kDim});
      const at::Tensor plain = device_zeros({streams, 2, kRows});
      const at::Tensor active = device_zeros({streams, 2, kRows});
      DeviceStreams memories(streams, 1);
      Windows windows;
      windows.steps = x.const_data_ptr<float>();
      windows.count = 2;
      windows.channels = kDim;
      Results results;
      results.scale = scale.const_data_ptr<float>();
      results.residual = residual.const_data_ptr<float>();
      results.plain = plain.mutable_data_ptr<float>();
      results.active = active.mutable_data_ptr<float>();
      results.curve = Curve::Gelu;
      const ColumnNorm norm{gain.const_data_ptr<float>(), has_mean ? shift.const_data_ptr<float>() : nullptr,
                            1e-5F, normed.mutable_data_ptr<float>()};
      EXPECT_EQ(convolve(linear.filter(), windows, memories.next(first_streams(streams)), norm, results,
                         false, nullptr),
                0);
      const at::Tensor v = x.cpu().to(at::kDouble);
      const at::Tensor w = gain.cpu().to(at::kDouble);
      const at::Tensor n = has_mean ? at::layer_norm(v, {kDim}, w, shift.cpu().to(at::kDouble), 1e-5)
                                    : v * (w * at::rsqrt(v.pow(2).mean(-1, true) + 1e-5));
      const at::Tensor expected = residual.cpu().to(at::kDouble) +
                                  scale.cpu().to(at::kDouble) * at::matmul(n, weight.to(at::kDouble).t());
      EXPECT_LT(relative_error(plain.cpu(), expected), 1e-6) << streams;
      EXPECT_LT(relative_error(active.cpu(), at::gelu(expected)), 1e-6) << streams;
    }
  }
}

TEST_F(ConvolveKernel, NormedColumnsDoNotDependOnTheirNeighbours) {
  constexpr int64_t kDim = 96;
  nn::Linear linear((at::randn({40, kDim}) / 10).to(kGpu));
  linear.chunk();
  const at::Tensor gain = at::rand({kDim}).to(kGpu);
  const at::Tensor shift = at::randn({kDim}).to(kGpu);
  const at::Tensor x = at::randn({64, kDim}).to(kGpu);
  at::Tensor alone;
  for (const int streams : {1, 2, 3, 8, 9, 64}) {
    const at::Tensor normed = device_zeros({streams, kDim});
    const at::Tensor y = device_zeros({streams, 40});
    DeviceStreams memories(streams, 1);
    Windows windows;
    windows.steps = x.const_data_ptr<float>();
    windows.channels = kDim;
    Results results;
    results.plain = y.mutable_data_ptr<float>();
    const ColumnNorm norm{gain.const_data_ptr<float>(), shift.const_data_ptr<float>(), 1e-5F,
                          normed.mutable_data_ptr<float>()};
    EXPECT_EQ(convolve(linear.filter(), windows, memories.next(first_streams(streams)), norm, results, false,
                       nullptr),
              0);
    if (!alone.defined()) alone = y;
    EXPECT_TRUE(at::equal(y[0], alone[0])) << streams;
  }
}

}  // namespace
}  // namespace moshi::cuda
