// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/tiles.h"

#include <gtest/gtest.h>

namespace moshi::nn {
namespace {

at::Tensor numbered(int64_t rows, int64_t depth, at::ScalarType type) {
  const at::Tensor values = at::arange(rows * depth, at::kFloat).view({rows, depth});
  return (type == at::kChar ? values.remainder(255) - 127 : values.remainder(4099)).to(type);
}

/// What lane (g, t) of a warp finds in its piece of 16 bytes: checked against the layout's own words.
TEST(Tiles, LanesFindTheirRegisters) {
  const at::Tensor weights = at::arange(48 * 96, at::kFloat).view({48, 96});
  const at::Tensor f32 = tiled(weights).flatten();
  const at::Tensor integers = numbered(48, 96, at::kChar);
  const at::Tensor bytes = tiled(integers).flatten();
  const at::Tensor bf16 = tiled(numbered(48, 96, at::kBFloat16)).flatten();
  const at::Tensor plain_bf16 = numbered(48, 96, at::kBFloat16);
  const int64_t group = 2;
  const int64_t block = 1;
  const int64_t tile = (group * 3 + block) * 512;
  for (int64_t lane = 0; lane < 32; ++lane) {
    const int64_t g = lane / 4;
    const int64_t t = lane % 4;
    for (int64_t h = 0; h < 2; ++h) {
      for (int64_t p = 0; p < 2; ++p) {
        for (int64_t e = 0; e < 2; ++e) {
          for (int64_t half = 0; half < 2; ++half) {
            const int64_t row = 16 * group + g + 8 * half;
            const int64_t k = 32 * block + 8 * t + 4 * h + 2 * p + e;
            const int64_t register_place = p * 4 + half * 2 + e;
            EXPECT_TRUE(at::equal(bf16[tile + (h * 32 + lane) * 8 + register_place], plain_bf16[row][k]));
            EXPECT_EQ(bytes[tile + lane * 16 + h * 8 + p * 4 + e * 2 + half].item<int>(),
                      integers[row][k].item<int>() + 128);
            EXPECT_TRUE(at::equal(f32[tile + ((half * 2 + h) * 32 + lane) * 4 + 2 * p + e], weights[row][k]));
          }
        }
      }
    }
  }
}

TEST(Tiles, ComeBackAsRows) {
  for (const auto type : {at::kFloat, at::kBFloat16, at::kChar}) {
    for (const int64_t rows : {1, 16, 366}) {
      const at::Tensor weights = numbered(rows, 64, type);
      const at::Tensor tiles = tiled(weights);
      EXPECT_EQ(tiles.numel(), (rows + 15) / 16 * 16 * 64);
      EXPECT_TRUE(at::equal(untiled(tiles, rows), weights));
    }
  }
  EXPECT_THROW(tiled(at::zeros({16, 40})), c10::Error);
}

TEST(Tiles, ChunksHoldFourOfEightRowsAtATime) {
  const at::Tensor weights = numbered(13, 45, at::kFloat);
  const at::Tensor chunks = chunked(weights);
  ASSERT_EQ(chunks.sizes(), at::IntArrayRef({2, 16, 8, 4}));  // 16 rows, 64 of depth
  for (const auto& [row, k] : {std::pair{0, 0}, {12, 44}, {7, 31}, {8, 32}}) {
    EXPECT_TRUE(at::equal(chunks[row / 8][k / 4][row % 8][k % 4], weights[row][k])) << row << ' ' << k;
  }
  EXPECT_EQ(chunks.sum().item<float>(), weights.sum().item<float>());
  EXPECT_TRUE(at::equal(unchunked(chunks, 13, 45), weights));
}

TEST(Tiles, GateAndUpTakeTurns) {
  const at::Tensor rows = at::arange(32, at::kLong);
  EXPECT_TRUE(at::equal(
      interleaved(rows).narrow(0, 0, 24),
      at::tensor({0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8, 9, 10, 11, 12, 13, 14, 15},
                 at::kLong)));
}

}  // namespace
}  // namespace moshi::nn
