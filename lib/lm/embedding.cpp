// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/embedding.h"

namespace moshi::lm {

Embedding::Embedding(int64_t rows, int64_t dim, bool norm, int low_rank, const nn::Weights& weights)
    : weight_(weights.get("weight", {rows, low_rank > 0 ? low_rank : dim})),
      low_rank_(low_rank > 0 ? std::optional(nn::Linear(weights.matrix("low_rank.weight", {dim, low_rank})))
                             : std::nullopt) {
  if (norm) {
    norm_.emplace(checkpoint::Norm::LayerNorm, weight_.size(1), weights["norm"]);
  }
}

at::Tensor Embedding::operator()(const at::Tensor& tokens) const {
  at::Tensor y = at::embedding(weight_, tokens.clamp_min(0));
  if (norm_) {
    y = (*norm_)(y);
  }
  y = y.masked_fill((tokens == -1).unsqueeze(-1), 0);
  return low_rank_ ? (*low_rank_)(y) : y;
}

at::Tensor Embedding::table() const {
  const bool plain = !norm_ && !low_rank_;
  return plain ? weight_ : (*this)(at::arange(weight_.size(0), weight_.options().dtype(at::kLong)));
}

}  // namespace moshi::lm
