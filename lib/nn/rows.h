// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace moshi::nn {

/// Which slots of a streaming state the rows of a batch belong to: row b of every activation is
/// slot `slots()[b]`. Slots that are not named do not move, which is the reference's exec mask.
class Rows {
 public:
  /// `slots` are distinct. The index tensor is placed on `device`.
  Rows(std::vector<int64_t> slots, at::Device device);
  /// Slots 0 .. count-1.
  static Rows first(int64_t count, at::Device device);

  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(slots_.size()); }
  [[nodiscard]] const std::vector<int64_t>& slots() const { return slots_; }
  /// The slots as an int64 tensor [B] on the device.
  [[nodiscard]] const at::Tensor& index() const { return index_; }

  /// The rows of `state` [slots, ...] as [B, ...]: a view where slots are consecutive, else a copy.
  [[nodiscard]] at::Tensor gather(const at::Tensor& state) const;
  /// Writes `values` [B, ...] to the rows of `state` [slots, ...].
  void scatter(at::Tensor& state, const at::Tensor& values) const;

 private:
  std::vector<int64_t> slots_;
  at::Tensor index_;
  bool consecutive_ = true;  ///< gather() is a view.
};

/// `state` [slots, ...] enlarged to `slots` with zeros; the old rows keep their values.
at::Tensor grow_slots(const at::Tensor& state, int64_t slots);

}  // namespace moshi::nn
