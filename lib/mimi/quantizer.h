// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The split residual vector quantizer. Reference: moshi/quantization/vq.py,
// SplitResidualVectorQuantizer, and core_vq.py, EuclideanCodebook.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "checkpoint/config.h"
#include "nn/linear.h"
#include "nn/weights.h"

namespace moshi::mimi {

/// One residual quantizer: a projection down, a chain of codebooks, a projection up.
class ResidualQuantizer {
 public:
  /// `weights` is the scope of `input_proj`, `output_proj` and `vq`. Codebooks may carry the names
  /// of older files: cluster_size, embed_avg, embed_sum.
  ResidualQuantizer(const checkpoint::MimiConfig& config, int levels, const nn::Weights& weights);

  /// Latents [N, dimension] -> codes int64 [N, levels] of the first `levels` codebooks: at each the
  /// nearest vector (the lowest index of equals) to what the ones before it left over.
  [[nodiscard]] at::Tensor encode(const at::Tensor& latents, int64_t levels) const;
  /// The inverse for the levels given: codes [N, k] -> latents [N, dimension].
  [[nodiscard]] at::Tensor decode(const at::Tensor& codes) const;

  /// Stores the codebooks as filters that CUDA kernels search; encode() and decode() are slow from then on.
  void chunk();
  [[nodiscard]] int levels() const { return static_cast<int>(std::max(codebooks_.size(), chunked_.size())); }
  [[nodiscard]] const nn::Linear& input_projection() const { return input_proj_; }
  [[nodiscard]] const nn::Linear& output_projection() const { return output_proj_; }
  /// After chunk(): a level's vectors [bins, width], and their squared norms [bins].
  struct Chunked {
    at::Tensor vectors;  ///< As chunks.
    at::Tensor squares;
  };
  [[nodiscard]] const Chunked& chunked(int level) const { return chunked_[static_cast<size_t>(level)]; }

 private:
  [[nodiscard]] at::Tensor codebook(int64_t level) const;
  [[nodiscard]] at::Tensor vectors(const at::Tensor& codebook) const;
  [[nodiscard]] at::Tensor nearest(const at::Tensor& x, const at::Tensor& codebook) const;

  nn::Linear input_proj_;
  nn::Linear output_proj_;
  std::vector<at::Tensor> codebooks_;  ///< Per level [bins, width + 2]: vector, 1, squared norm.
  std::vector<Chunked> chunked_;       ///< Instead of these.
};

/// Semantic and acoustic quantizers side by side: both take the same latent, their outputs add up.
class Quantizer {
 public:
  Quantizer(const checkpoint::MimiConfig& config, const nn::Weights& weights);

  /// Latents [B, m, dimension] -> codes int64 [B, codebooks, m], `codebooks` in [n_q_semantic, n_q].
  [[nodiscard]] at::Tensor encode(const at::Tensor& latents, int64_t codebooks) const;
  /// Codes int64 [B, k, m], each in [0, bins), k in [1, n_q] -> latents [B, m, dimension].
  [[nodiscard]] at::Tensor decode(const at::Tensor& codes) const;

  /// See ResidualQuantizer.
  void chunk();
  [[nodiscard]] const ResidualQuantizer& first() const { return first_; }
  [[nodiscard]] const ResidualQuantizer& rest() const { return rest_; }

 private:
  int64_t semantic_levels_;
  ResidualQuantizer first_;
  ResidualQuantizer rest_;
};

}  // namespace moshi::mimi
