// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "nn/layers.h"
#include "nn/linear.h"
#include "nn/weights.h"

namespace moshi::lm {

/// A token embedding whose token -1 is exactly zero. Reference: moshi/models/lm_utils.py,
/// ScaledEmbedding.
class Embedding {
 public:
  /// `weight` [rows, low_rank or dim]; `norm`: a LayerNorm follows; `low_rank` > 0: a projection
  /// `low_rank.weight` [dim, low_rank] ends it.
  Embedding(int64_t rows, int64_t dim, bool norm, int low_rank, const nn::Weights& weights);
  /// tokens int64 [...] in [-1, rows) -> [..., dim].
  [[nodiscard]] at::Tensor operator()(const at::Tensor& tokens) const;
  /// What each token in [0, rows) adds: [rows, dim].
  [[nodiscard]] at::Tensor table() const;
  /// Bytes of the table.
  [[nodiscard]] uint64_t bytes() const { return weight_.nbytes(); }
  /// Makes row `to` equal to row `from`.
  void copy_row(int64_t from, int64_t to) { weight_[to].copy_(weight_[from]); }

 private:
  at::Tensor weight_;
  std::optional<nn::NormLayer> norm_;
  std::optional<nn::Linear> low_rank_;
};

}  // namespace moshi::lm
