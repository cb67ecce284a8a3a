// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/codec/codebooks.h"

#include <cstring>

#include "frames.h"
#include "nn/tiles.h"

namespace moshi::cuda {
namespace {

using CodebookKernel = KernelTest;

/// A codebook on the device, and its vectors here.
struct DeviceCodebook {
  explicit DeviceCodebook(const at::Tensor& values)
      : vectors(values), chunks(nn::chunked(values).to(kGpu)), squares(values.pow(2).sum(-1).to(kGpu)) {}
  [[nodiscard]] Codebook get() const {
    return {{chunks.const_data_ptr<float>(), nullptr, static_cast<int>(vectors.size(0)),
             static_cast<int>(vectors.size(1))},
            squares.const_data_ptr<float>()};
  }
  at::Tensor vectors;
  at::Tensor chunks;
  at::Tensor squares;
};

/// A chain of levels over columns [columns, width]: the codes [levels, columns].
at::Tensor quantized(const std::vector<DeviceCodebook>& levels, const at::Tensor& x) {
  const auto columns = static_cast<int>(x.size(0));
  const auto width = static_cast<int>(x.size(1));
  const at::Tensor from = x.to(kGpu);
  const at::Tensor kept = device_zeros({2, columns, width});
  const at::Tensor found = at::full({static_cast<int64_t>(levels.size()), columns}, -1, at::kLong).to(kGpu);
  Remainder remainder;
  remainder.values = from.const_data_ptr<float>();
  remainder.stride = width;
  for (size_t i = 0; i < levels.size(); ++i) {
    auto* next = static_cast<Nearest*>(found[static_cast<int64_t>(i)].data_ptr());
    remainder.kept = kept[static_cast<int64_t>(i % 2)].mutable_data_ptr<float>();
    EXPECT_EQ(find_nearest(levels[i].get(), remainder, columns, next, false, nullptr), 0);
    remainder.values = remainder.kept;
    remainder.codebook = levels[i].get();
    remainder.found = next;
  }
  return found.cpu().bitwise_and(0xFFFFFFFF);
}

TEST_F(CodebookKernel, FindsTheNearestOfWhatIsLeft) {
  for (const auto& [bins, width] : {std::pair<int64_t, int64_t>{2048, 256}, {40, 8}, {25, 8}, {1000, 36}}) {
    std::vector<DeviceCodebook> levels;
    for (int level = 0; level < 4; ++level) levels.emplace_back(at::randn({bins, width}) / (1 << level));
    for (const int64_t columns : {1, 3, 64}) {
      const at::Tensor x = at::randn({columns, width});
      const at::Tensor found = quantized(levels, x);
      at::Tensor left = x.to(at::kDouble);
      for (int64_t level = 0; level < 4; ++level) {
        const at::Tensor vectors = levels[static_cast<size_t>(level)].vectors.to(at::kDouble);
        const at::Tensor distances = at::cdist(left, vectors);
        const at::Tensor mine = distances.gather(1, found[level].unsqueeze(1)).squeeze(1);
        EXPECT_TRUE(at::allclose(mine, std::get<0>(distances.min(1)), 1e-5, 1e-5)) << bins << ' ' << level;
        left = left - vectors.index_select(0, found[level]);
      }
    }
  }
}

TEST_F(CodebookKernel, TheFirstOfEquals) {
  const at::Tensor vectors = at::randn({4, 16}).repeat({300, 1});
  const at::Tensor found = quantized({DeviceCodebook(vectors)}, vectors.narrow(0, 0, 4));
  EXPECT_TRUE(at::equal(found[0], at::arange(4)));
}

TEST_F(CodebookKernel, ColumnsDoNotDependOnTheirNeighbours) {
  const std::vector<DeviceCodebook> levels = {DeviceCodebook(at::randn({500, 64})),
                                              DeviceCodebook(at::randn({500, 64}))};
  const at::Tensor x = at::randn({64, 64});
  const at::Tensor together = quantized(levels, x);
  for (const int64_t columns : {1, 3, 8, 20}) {
    EXPECT_TRUE(at::equal(together.narrow(1, 9, columns), quantized(levels, x.narrow(0, 9, columns))));
  }
}

TEST_F(CodebookKernel, SumsTheVectorsOfBothQuantizers) {
  const std::vector<DeviceCodebook> levels = {DeviceCodebook(at::randn({50, 24})),
                                              DeviceCodebook(at::randn({50, 24})),
                                              DeviceCodebook(at::randn({50, 24}))};
  at::Tensor filters = at::empty({static_cast<int64_t>(levels.size() * sizeof(Filter))}, at::kByte);
  for (size_t i = 0; i < levels.size(); ++i) {
    const Filter filter = levels[i].get().vectors;
    std::memcpy(filters.mutable_data_ptr<uint8_t>() + i * sizeof(Filter), &filter, sizeof(Filter));
  }
  filters = filters.to(kGpu);
  const at::Tensor codes = at::tensor({3, 49, 0, 7, -1, -1, 8, 9, -1}, at::kInt).view({3, 3}).to(kGpu);
  const at::Tensor out = device_zeros({3, 48});
  EXPECT_EQ(sum_vectors(static_cast<const Filter*>(filters.const_data_ptr()), 3, 1, 24, codes.data_ptr<int>(),
                        3, out.mutable_data_ptr<float>(), false, nullptr),
            0);
  const auto vector = [&](size_t level, int64_t code) { return levels[level].vectors[code]; };
  const at::Tensor none = at::zeros({24});
  const at::Tensor expected =
      at::stack({at::cat({vector(0, 3), vector(1, 49) + vector(2, 0)}), at::cat({vector(0, 7), none}),
                 at::cat({vector(0, 8), vector(1, 9)})});
  EXPECT_TRUE(at::equal(out.cpu(), expected));
}

TEST_F(CodebookKernel, Upsamples) {
  const at::Tensor taps = at::randn({2, 3, 20});
  const at::Tensor on_device = taps.to(kGpu);
  DeviceStreams memories(4, 40);
  at::Tensor last = at::zeros({4, 20});
  for (int frame = 0; frame < 4; ++frame) {
    const at::Tensor x = at::randn({4, 20});
    const at::Tensor input = x.to(kGpu);
    const at::Tensor out = device_zeros({4, 3, 20});
    EXPECT_EQ(upsample(input.const_data_ptr<float>(), on_device.const_data_ptr<float>(), 3, 20, 0,
                       memories.next({0, 1, 2, 3}), out.mutable_data_ptr<float>(), false, nullptr),
              0);
    const at::Tensor expected = x.unsqueeze(1) * taps[0] + last.unsqueeze(1) * taps[1];
    EXPECT_TRUE(at::allclose(out.cpu(), expected, 1e-6, 1e-6));
    last = x;
  }
}

}  // namespace
}  // namespace moshi::cuda
