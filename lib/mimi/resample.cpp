// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/resample.h"

namespace moshi::mimi {

Downsample::Downsample(const checkpoint::MimiConfig& config, const nn::Weights& weights)
    : conv_(weights["conv.conv.conv"].get(
                "weight", {config.dimension, config.dimension, int64_t{2} * config.resample_stride()}),
            {}, {config.resample_stride(), 1, {}}) {}

Downsample::State Downsample::make_state(int64_t slots) const {
  return {conv_.make_history(slots), std::vector<bool>(static_cast<size_t>(slots), false)};
}

at::Tensor Downsample::operator()(const at::Tensor& x, State& state, const nn::Rows& rows) const {
  for (int64_t row = 0; row < rows.size(); ++row) {
    const auto slot = static_cast<size_t>(rows.slots()[static_cast<size_t>(row)]);
    if (!state.started[slot]) {
      state.history[static_cast<int64_t>(slot)].copy_(x[row][0]);
      state.started[slot] = true;
    }
  }
  return conv_(x, state.history, rows);
}

Upsample::Upsample(const checkpoint::MimiConfig& config, const nn::Weights& weights) {
  const int64_t stride = config.resample_stride();
  const at::Tensor weight = weights["convtr.convtr.convtr"].get("weight", {config.dimension, 1, 2 * stride});
  const at::Tensor taps = weight.squeeze(1).t().contiguous();  // [2 * stride, dimension]
  now_ = taps.narrow(0, 0, stride);
  before_ = taps.narrow(0, stride, stride);
}

at::Tensor Upsample::make_history(int64_t slots) const {
  return at::zeros({slots, 1, now_.size(1)}, now_.options());
}

at::Tensor Upsample::operator()(const at::Tensor& x, at::Tensor& history, const nn::Rows& rows) const {
  const int64_t frames = x.size(1);
  const at::Tensor window = at::cat({rows.gather(history), x}, 1);
  rows.scatter(history, window.narrow(1, frames, 1));
  const at::Tensor y = x.unsqueeze(2) * now_ + window.narrow(1, 0, frames).unsqueeze(2) * before_;
  return y.flatten(1, 2);  // [B, m, stride, dimension] in time order
}

}  // namespace moshi::mimi
