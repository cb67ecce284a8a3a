// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The convolutional ends of the codec. Reference: moshi/modules/seanet.py, SEANetEncoder,
// SEANetDecoder and SEANetResnetBlock.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <vector>

#include "checkpoint/config.h"
#include "nn/conv.h"
#include "nn/rows.h"
#include "nn/weights.h"

namespace moshi::mimi {

/// A chain of convolutions and residual blocks, channels last.
class Seanet {
 public:
  /// PCM [B, T, 1] to latents [B, T / hop, dimension]. `weights` is the scope of `model.{i}`.
  static Seanet encoder(const checkpoint::MimiConfig& config, const nn::Weights& weights);
  /// Latents [B, T, dimension] to PCM [B, T * hop, 1].
  static Seanet decoder(const checkpoint::MimiConfig& config, const nn::Weights& weights);

  /// What each layer remembers of its input, [slots, steps, channels] each; zeros: not begun.
  [[nodiscard]] std::vector<at::Tensor> make_history(int64_t slots) const;
  /// Continues the streams of `rows`; shapes as above.
  [[nodiscard]] at::Tensor operator()(at::Tensor x, std::vector<at::Tensor>& history,
                                      const nn::Rows& rows) const;

  /// One entry of the reference's nn.Sequential, the ELU before it included: a convolution, or the
  /// residual block x + pointwise(conv(x)) where `pointwise` is there.
  struct Layer {
    nn::Conv conv;
    std::optional<nn::Conv> pointwise;
    std::optional<nn::Conv> shortcut;  ///< In place of x itself (true_skip false).
  };
  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }
  /// Stores all weights as CUDA kernels want them.
  void chunk();

 private:
  static Layer residual_block(const checkpoint::MimiConfig& config, const nn::Weights& weights, int64_t width,
                              int64_t dilation);

  std::vector<Layer> layers_;
};

}  // namespace moshi::mimi
