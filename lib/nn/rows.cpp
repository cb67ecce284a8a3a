// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/rows.h"

#include <numeric>
#include <utility>

namespace moshi::nn {

Rows::Rows(std::vector<int64_t> slots, at::Device device) : slots_(std::move(slots)) {
  for (size_t i = 1; i < slots_.size(); ++i) {
    consecutive_ = consecutive_ && slots_[i] == slots_[i - 1] + 1;
  }
  index_ = at::tensor(slots_, at::kLong).to(device, /*non_blocking=*/true);
}

Rows Rows::first(int64_t count, at::Device device) {
  std::vector<int64_t> slots(static_cast<size_t>(count));
  std::iota(slots.begin(), slots.end(), 0);
  return {std::move(slots), device};
}

at::Tensor Rows::gather(const at::Tensor& state) const {
  if (consecutive_ && !slots_.empty()) {
    return state.narrow(0, slots_.front(), size());
  }
  return state.index_select(0, index_);
}

void Rows::scatter(at::Tensor& state, const at::Tensor& values) const {
  if (consecutive_ && !slots_.empty()) {
    state.narrow(0, slots_.front(), size()).copy_(values);
  } else {
    state.index_copy_(0, index_, values);
  }
}

at::Tensor grow_slots(const at::Tensor& state, int64_t slots) {
  auto shape = state.sizes().vec();
  const int64_t old = shape[0];
  if (old >= slots) {
    return state;
  }
  shape[0] = slots;
  at::Tensor larger = at::zeros(shape, state.options());
  larger.narrow(0, 0, old).copy_(state);
  return larger;
}

}  // namespace moshi::nn
