// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Between the latents' rate and the frame rate. Reference: moshi/modules/resample.py,
// ConvDownsample1d and ConvTrUpsample1d as MimiModel makes them (learnt; up channel-wise).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "checkpoint/config.h"
#include "nn/conv.h"
#include "nn/rows.h"
#include "nn/weights.h"

namespace moshi::mimi {

/// A dense convolution, kernel 2 * stride. A stream begins with its first latent repeated.
class Downsample {
 public:
  struct State {
    at::Tensor history;         ///< [slots, stride, dimension].
    std::vector<bool> started;  ///< Per slot: has executed since its last reset.
  };

  /// `weights` is the scope of `conv.conv.conv.weight`.
  Downsample(const checkpoint::MimiConfig& config, const nn::Weights& weights);
  [[nodiscard]] State make_state(int64_t slots) const;
  /// x [B, m * stride, dimension] -> [B, m, dimension].
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x, State& state, const nn::Rows& rows) const;
  [[nodiscard]] const nn::Conv& conv() const { return conv_; }
  /// Stores the weights as CUDA kernels want them.
  void chunk() { conv_.chunk(); }

 private:
  nn::Conv conv_;
};

/// A transposed convolution of each channel by itself, kernel 2 * stride:
/// out[2n + j] = w[j] * x[n] + w[j + stride] * x[n - 1] for stride 2.
class Upsample {
 public:
  /// `weights` is the scope of `convtr.convtr.convtr.weight`.
  Upsample(const checkpoint::MimiConfig& config, const nn::Weights& weights);
  /// The last frame of each slot [slots, 1, dimension], zeros.
  [[nodiscard]] at::Tensor make_history(int64_t slots) const;
  /// x [B, m, dimension] -> [B, m * stride, dimension].
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x, at::Tensor& history, const nn::Rows& rows) const;
  /// Both sets of taps, [2, stride, dimension].
  [[nodiscard]] at::Tensor taps() const { return at::stack({now_, before_}); }

 private:
  at::Tensor now_;     ///< [stride, dimension], applied to a frame.
  at::Tensor before_;  ///< [stride, dimension], applied to the frame before it.
};

}  // namespace moshi::mimi
