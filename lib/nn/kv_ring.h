// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "nn/rows.h"

namespace moshi::nn {

/// Keys (or values) of one layer, [slots, positions, heads, head dim]: rings that lengthen as streams do. As
/// they are, or with each head's vector of a position as int8 times a scale of its own.
class KvRing {
 public:
  /// `options`: of what is written and read.
  KvRing(at::IntArrayRef shape, const at::TensorOptions& options, bool int8);
  [[nodiscard]] int64_t positions() const { return kept_.size(1); }
  [[nodiscard]] uint64_t bytes() const { return kept_.nbytes() + (scales_.defined() ? scales_.nbytes() : 0); }
  /// Enlarges to `slots` slots, or to `positions` positions.
  void grow(int64_t slots);
  void lengthen(int64_t positions);
  /// Writes x [T, heads, head dim] to entries of one slot, from `first` on.
  void write(int64_t slot, int64_t first, const at::Tensor& x);
  /// Writes x [B, T, heads, head dim] to the entries [B, T] of each row's slot.
  void write(const Rows& rows, const at::Tensor& entries, const at::Tensor& x);
  /// The first `positions` entries of each row: [B, positions, heads, head dim].
  [[nodiscard]] at::Tensor read(const Rows& rows, int64_t positions) const;

 private:
  at::ScalarType type_;
  at::Tensor kept_;
  at::Tensor scales_;  ///< f32 [slots, positions, heads, 1], or undefined.
};

}  // namespace moshi::nn
