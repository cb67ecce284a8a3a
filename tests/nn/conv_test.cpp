// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Properties the reference tests in moshi/modules/conv_test.py and conv.py, against LibTorch's own
// convolutions over a whole sequence with zeros to its left.
#include "nn/conv.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "nn/linear.h"
#include "nn/rows.h"

namespace moshi::nn {
namespace {

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

at::Tensor random_weight(at::IntArrayRef shape) { return at::randn(shape) / std::sqrt(shape[1] * shape[2]); }

/// LibTorch's causal convolution of x [B, T, Cin] -> [B, T / stride, Cout].
at::Tensor causal_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const ConvOptions& options) {
  const int64_t left = (weight.size(2) - 1) * options.dilation + 1 - options.stride;
  const at::Tensor input = options.elu ? at::elu(x, *options.elu) : x;
  const at::Tensor padded = at::constant_pad_nd(input.transpose(1, 2), {left, 0});
  return at::conv1d(padded, weight, bias, options.stride, at::IntArrayRef{0}, options.dilation)
      .transpose(1, 2);
}

/// LibTorch's transposed convolution of x [B, T, Cin], its tail cut off -> [B, T * stride, Cout].
at::Tensor causal_transposed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             int64_t stride) {
  const at::Tensor y = at::conv_transpose1d(x.transpose(1, 2), weight, bias, stride);
  return y.narrow(2, 0, x.size(1) * stride).transpose(1, 2);
}

/// x [B, T, C] through `conv` in chunks of `chunk` steps, the first one `first` steps long.
at::Tensor stream(const Conv& conv, const at::Tensor& x, int64_t first, int64_t chunk) {
  at::Tensor history = conv.make_history(x.size(0));
  const Rows rows = Rows::first(x.size(0), at::kCPU);
  std::vector<at::Tensor> outputs;
  int64_t start = 0;
  int64_t length = first;
  while (start < x.size(1)) {
    length = std::min(length, x.size(1) - start);
    outputs.push_back(conv(x.narrow(1, start, length), history, rows));
    start += length;
    length = chunk;
  }
  return at::cat(outputs, 1);
}

struct Shape {
  int64_t batch, in, out, steps, kernel, stride;
};

TEST(Conv, StreamsAsOneCausalConvolution) {
  at::manual_seed(1);
  for (const Shape& s : std::vector<Shape>{
           {3, 4, 5, 10, 6, 1}, {4, 5, 6, 10, 7, 1}, {5, 6, 7, 10, 2, 1}, {1, 512, 512, 256, 7, 1}}) {
    const at::Tensor x = at::randn({s.batch, s.steps, s.in});
    const at::Tensor weight = random_weight({s.out, s.in, s.kernel});
    const at::Tensor bias = at::randn({s.out});
    const Conv conv(weight, bias, {});
    const at::Tensor whole = causal_conv(x, weight, bias, {});
    EXPECT_LT(relative_error(stream(conv, x, s.kernel, 1), whole), 1e-6);
    for (int64_t length = s.kernel; length <= std::min<int64_t>(s.steps, 10); ++length) {
      EXPECT_LT(relative_error(stream(conv, x.narrow(1, 0, length), length, 1), whole.narrow(1, 0, length)),
                1e-6);
    }
  }
}

TEST(Conv, StreamsAsOneTransposedConvolution) {
  at::manual_seed(2);
  for (const Shape& s : std::vector<Shape>{
           {3, 4, 5, 10, 6, 1}, {4, 5, 6, 10, 7, 2}, {5, 6, 7, 10, 4, 3}, {1, 512, 512, 256, 7, 2}}) {
    const at::Tensor x = at::randn({s.batch, s.steps, s.in});
    const at::Tensor weight = random_weight({s.in, s.out, s.kernel});
    const at::Tensor bias = at::randn({s.out});
    const Conv conv = Conv::transposed(weight, bias, {s.stride, 1, {}});
    const at::Tensor whole = causal_transposed(x, weight, bias, s.stride);
    EXPECT_LT(relative_error(stream(conv, x, s.kernel, 1), whole), 1e-6);
    for (int64_t length = 1; length <= std::min<int64_t>(s.steps, 10); ++length) {
      EXPECT_LT(relative_error(stream(conv, x.narrow(1, 0, length), length, 1),
                               whole.narrow(1, 0, length * s.stride)),
                1e-6);
    }
  }
}

TEST(Conv, AllKernelsStridesAndChunks) {
  at::manual_seed(3);
  for (const int64_t kernel : {1, 3, 4, 8, 15, 16}) {
    for (int64_t stride = 1; stride <= std::min<int64_t>(kernel, 9); ++stride) {
      const at::Tensor weight = random_weight({12, 6, kernel});
      const at::Tensor back = random_weight({12, 6, kernel});
      const at::Tensor bias = at::randn({12});
      const Conv down(weight, bias, {stride, 1, {}});
      const Conv up = Conv::transposed(back, {}, {stride, 1, {}});
      for (const int64_t frames : {1, 8, 65}) {
        const at::Tensor x = at::randn({3, frames * stride, 6});
        const at::Tensor y = causal_conv(x, weight, bias, {stride, 1, {}});
        const at::Tensor z = causal_transposed(y, back, {}, stride);
        for (const int64_t chunk : {1, 2, 8}) {
          ASSERT_LT(relative_error(stream(down, x, chunk * stride, chunk * stride), y), 1e-6)
              << "kernel " << kernel << " stride " << stride << " frames " << frames << " chunk " << chunk;
          ASSERT_LT(relative_error(stream(up, y, chunk, chunk), z), 1e-6)
              << "kernel " << kernel << " stride " << stride << " frames " << frames << " chunk " << chunk;
        }
      }
    }
  }
}

TEST(Conv, DilationAndElu) {
  at::manual_seed(4);
  for (const int64_t dilation : {1, 2, 4, 9}) {
    const ConvOptions options{1, dilation, 0.7};
    const at::Tensor x = at::randn({2, 20, 4});
    const at::Tensor weight = random_weight({3, 4, 3});
    const at::Tensor bias = at::randn({3});
    EXPECT_LT(
        relative_error(stream(Conv(weight, bias, options), x, 3, 2), causal_conv(x, weight, bias, options)),
        1e-6);
  }
}

TEST(Conv, BiasOfATransposedConvolutionIsAddedOnce) {
  const at::Tensor bias = at::randn({5});
  const Conv conv = Conv::transposed(at::randn({4, 5, 7}), bias, {2, 1, {}});
  EXPECT_TRUE(at::equal(stream(conv, at::zeros({2, 12, 4}), 3, 1), bias.expand({2, 24, 5})));
}

TEST(Conv, HistoryStepsAreTheReferences) {
  EXPECT_EQ(Conv(at::zeros({2, 2, 7}), {}, {}).history_steps(), 6);
  EXPECT_EQ(Conv(at::zeros({2, 2, 8}), {}, {4, 1, {}}).history_steps(), 4);
  EXPECT_EQ(Conv(at::zeros({2, 2, 3}), {}, {1, 4, {}}).history_steps(), 8);
  EXPECT_EQ(Conv::transposed(at::zeros({2, 2, 8}), {}, {4, 1, {}}).history_steps(), 1);
  EXPECT_EQ(Conv::transposed(at::zeros({2, 2, 7}), {}, {2, 1, {}}).history_steps(), 3);
}

TEST(Conv, OnlyNamedSlotsMove) {
  at::manual_seed(5);
  const Conv conv(at::randn({5, 4, 6}), at::randn({5}), {2, 1, {}});
  const at::Tensor x = at::randn({2, 4, 4});
  at::Tensor history = at::randn({4, conv.history_steps(), 4});
  const at::Tensor before = history.clone();
  const at::Tensor y = conv(x, history, Rows({3, 1}, at::kCPU));
  for (const int64_t other : {0, 2}) {
    EXPECT_TRUE(at::equal(history[other], before[other]));
  }
  for (const auto& [row, slot] : std::vector<std::pair<int64_t, int64_t>>{{0, 3}, {1, 1}}) {
    at::Tensor alone = before.narrow(0, slot, 1).clone();
    EXPECT_TRUE(at::allclose(conv(x.narrow(0, row, 1), alone, Rows::first(1, at::kCPU)), y.narrow(0, row, 1),
                             0, 1e-5));
    EXPECT_TRUE(at::equal(alone[0], history[slot]));
  }
}

TEST(Linear, AllRowCountsAndLengths) {
  at::manual_seed(6);
  for (const int64_t in : {1, 7, 1024, 1025, 3000}) {
    const at::Tensor weight = at::randn({33, in}) / std::sqrt(in);
    const at::Tensor bias = at::randn({33});
    for (const int64_t rows : {1, 2, 3, 4, 5, 40}) {
      const at::Tensor x = at::randn({rows, in});
      EXPECT_TRUE(at::allclose(Linear(weight)(x), at::linear(x, weight), 1e-5, 1e-5)) << in << " " << rows;
      EXPECT_TRUE(at::allclose(Linear(weight, bias)(x), at::linear(x, weight, bias), 1e-5, 1e-5))
          << in << " " << rows;
    }
  }
}

TEST(Linear, KeepsLeadingDimensionsAndDtype) {
  const at::Tensor weight = at::randn({6, 5}).to(at::kBFloat16);
  const at::Tensor x = at::randn({2, 3, 5}).to(at::kBFloat16);
  const at::Tensor y = Linear(weight)(x);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({2, 3, 6}));
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(Linear(at::randn({6, 5}))(at::randn({2, 1, 5})).is_contiguous());
}

}  // namespace
}  // namespace moshi::nn
