// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/tiles.h"

#include <vector>

#include "cuda/codec/convolve.h"
#include "cuda/tiles.h"

namespace moshi::nn {
namespace {

using cuda::kTileDepth;
using cuda::kTileRows;

/// How rows and depth are cut: row group, row half, g; depth block, t, half h, and what a register holds.
struct Order {
  std::vector<int64_t> pieces;
  std::vector<int64_t> permutation;  ///< To the order of a tile.
};

Order order_of(at::ScalarType type) {
  if (type == at::kFloat) return {{-1, 2, 8, 0, 4, 2, 4}, {0, 3, 1, 5, 2, 4, 6}};
  if (type == at::kBFloat16) return {{-1, 2, 8, 0, 4, 2, 2, 2}, {0, 3, 5, 2, 4, 6, 1, 7}};
  return {{-1, 2, 8, 0, 4, 2, 2, 2}, {0, 3, 2, 4, 5, 6, 7, 1}};
}

}  // namespace

at::Tensor tiled(const at::Tensor& weights) {
  TORCH_CHECK(weights.dim() == 2 && weights.size(1) % kTileDepth == 0, "expected depth in multiples of ",
              kTileDepth);
  Order order = order_of(weights.scalar_type());
  order.pieces[3] = weights.size(1) / kTileDepth;
  const int64_t padding = (kTileRows - weights.size(0) % kTileRows) % kTileRows;
  const at::Tensor rows = padding > 0 ? at::constant_pad_nd(weights, {0, 0, 0, padding}) : weights;
  const at::Tensor tiles = rows.reshape(order.pieces).permute(order.permutation).contiguous();
  return weights.scalar_type() == at::kChar ? (tiles.to(at::kShort) + 128).to(at::kByte) : tiles;
}

at::Tensor untiled(const at::Tensor& tiles, int64_t rows) {
  const bool integers = tiles.scalar_type() == at::kByte;
  const at::Tensor values = integers ? (tiles.to(at::kShort) - 128).to(at::kChar) : tiles;
  const Order order = order_of(values.scalar_type());
  std::vector<int64_t> inverse(order.permutation.size());
  for (size_t i = 0; i < inverse.size(); ++i) {
    inverse[static_cast<size_t>(order.permutation[i])] = static_cast<int64_t>(i);
  }
  const int64_t depth = tiles.size(1) * kTileDepth;
  return values.permute(inverse).reshape({-1, depth}).narrow(0, 0, rows);
}

at::Tensor chunked(const at::Tensor& weights) {
  const auto padding = [](int64_t size, int64_t unit) { return (unit - size % unit) % unit; };
  const at::Tensor padded = at::constant_pad_nd(
      weights, {0, padding(weights.size(1), cuda::kChunk), 0, padding(weights.size(0), cuda::kRowGroup)});
  return padded.view({-1, cuda::kRowGroup, padded.size(1) / 4, 4}).transpose(1, 2).contiguous();
}

at::Tensor unchunked(const at::Tensor& chunks, int64_t rows, int64_t depth) {
  return chunks.transpose(1, 2).reshape({-1, chunks.size(1) * 4}).narrow(0, 0, rows).narrow(1, 0, depth);
}

at::Tensor interleaved(const at::Tensor& gate_and_up) {
  const int64_t hidden = gate_and_up.size(0) / 2;
  TORCH_CHECK(hidden % 8 == 0, "expected gate rows in multiples of 8");
  return gate_and_up.unflatten(0, {2, hidden / 8, 8}).transpose(0, 1).flatten(0, 2);
}

}  // namespace moshi::nn
