// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/codec/ring_attention.h"

#include <algorithm>
#include <cmath>

#include "frames.h"
#include "nn/layers.h"

namespace moshi::cuda {
namespace {

using RingKernel = KernelTest;

struct Shape {
  int heads;
  int head_dim;
  int context;
  int steps;
  Rotation rotation;
};
constexpr Shape kShapes[] = {{8, 64, 250, 2, Rotation::Interleaved},
                             {2, 8, 10, 2, Rotation::Interleaved},
                             {3, 20, 7, 3, Rotation::Halves},
                             {1, 128, 40, 1, Rotation::None},
                             {2, 32, 9, 4, Rotation::Interleaved}};

/// A stream's attention as the definition has it, in double precision.
class Expected {
 public:
  explicit Expected(const Shape& shape) : shape_(shape) {}
  /// qkv [steps, 3, heads, head_dim] -> [steps, heads, head_dim].
  at::Tensor operator()(const at::Tensor& qkv) {
    const at::Tensor turned = rotated(qkv.to(at::kDouble));
    for (int step = 0; step < shape_.steps; ++step) {
      keys_.push_back(turned[step][1]);
      values_.push_back(qkv[step][2].to(at::kDouble));
    }
    const auto positions = static_cast<int>(keys_.size());
    std::vector<at::Tensor> out;
    for (int step = 0; step < shape_.steps; ++step) {
      // The newest steps have overwritten the oldest.
      const int first = std::max(0, positions - shape_.context);
      const int end = positions - shape_.steps + step + 1;
      const at::Tensor keys = at::stack(keys_).slice(0, first, end);  // [n, heads, head_dim]
      const at::Tensor values = at::stack(values_).slice(0, first, end);
      const at::Tensor scores =
          (keys * turned[step][0]).sum(-1) / std::sqrt(static_cast<double>(shape_.head_dim));
      out.push_back((at::softmax(scores, 0).unsqueeze(-1) * values).sum(0));
    }
    return at::stack(out);
  }

 private:
  [[nodiscard]] at::Tensor rotated(const at::Tensor& qkv) const {
    if (shape_.rotation == Rotation::None) return qkv;
    const auto before = static_cast<int64_t>(keys_.size());
    const at::Tensor positions = at::arange(before, before + shape_.steps).unsqueeze(0);
    const nn::Rope rope =
        nn::Rope::at_positions(positions, shape_.head_dim, 10000, shape_.rotation == Rotation::Interleaved);
    const at::Tensor flat = qkv.to(at::kFloat).flatten(1, 2).unsqueeze(0);  // [1, steps, 3 heads, head_dim]
    return rope(flat)[0].view(qkv.sizes()).to(at::kDouble);
  }
  Shape shape_;
  std::vector<at::Tensor> keys_;
  std::vector<at::Tensor> values_;
};

at::Tensor attended(const Shape& shape, const at::Tensor& qkv, const Streams& streams) {
  const at::Tensor out = device_zeros({streams.count, shape.steps, shape.heads, shape.head_dim});
  const Ring ring{0, static_cast<int64_t>(shape.context) * shape.heads * shape.head_dim, shape.heads,
                  shape.head_dim, shape.context};
  EXPECT_EQ(attend_ring(qkv.const_data_ptr<float>(), shape.steps, ring, shape.rotation, 10000, streams,
                        out.mutable_data_ptr<float>(), false, nullptr),
            0);
  return out;
}

int64_t memory(const Shape& shape) { return int64_t{2} * shape.context * shape.heads * shape.head_dim; }

TEST_F(RingKernel, AttendsToTheContext) {
  for (const Shape& shape : kShapes) {
    DeviceStreams memories(2, memory(shape));
    std::vector<Expected> expected(2, Expected(shape));
    const int frames = 2 * shape.context / shape.steps + 3;
    for (int frame = 0; frame < frames; ++frame) {
      const at::Tensor qkv = at::randn({2, shape.steps, 3, shape.heads, shape.head_dim});
      const at::Tensor found = attended(shape, qkv.to(kGpu), memories.next({0, 1})).cpu();
      for (int stream = 0; stream < 2; ++stream) {
        ASSERT_LT(relative_error(found[stream], expected[static_cast<size_t>(stream)](qkv[stream])), 5e-6)
            << shape.heads << " heads, frame " << frame;
      }
    }
  }
}

TEST_F(RingKernel, StreamsDoNotDependOnTheirCompany) {
  const Shape& shape = kShapes[0];
  DeviceStreams crowd(64, memory(shape));
  DeviceStreams alone(1, memory(shape));
  for (int frame = 0; frame < 140; ++frame) {
    const int streams = frame % 2 == 0 ? 64 : 7;
    const at::Tensor qkv = at::randn({streams, shape.steps, 3, shape.heads, shape.head_dim}).to(kGpu);
    const at::Tensor together = attended(shape, qkv, crowd.next(first_streams(streams)));
    const at::Tensor single = attended(shape, qkv.narrow(0, 5, 1).contiguous(), alone.next({0}));
    ASSERT_TRUE(at::equal(together[5], single[0])) << frame;
  }
}

}  // namespace
}  // namespace moshi::cuda
