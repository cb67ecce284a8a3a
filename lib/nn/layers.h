// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Norms, feed-forwards and position embeddings. Reference: moshi/modules/transformer.py,
// moshi/modules/gating.py, moshi/modules/rope.py.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "checkpoint/config.h"
#include "nn/linear.h"
#include "nn/weights.h"

namespace moshi::nn {

/// A normalisation over the last dimension (create_norm_fn). RMSNorm's parameter is `alpha`
/// [1,1,dim]; LayerNorm's are `weight` and `bias` [dim].
class NormLayer {
 public:
  NormLayer(checkpoint::Norm kind, int64_t dim, const Weights& weights);
  /// x [..., dim] -> same shape and dtype.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
  [[nodiscard]] bool has_mean() const { return bias_.defined(); }  ///< LayerNorm.
  /// Added to the variance.
  [[nodiscard]] double epsilon() const;
  /// Flat; the bias of an RMSNorm is undefined.
  [[nodiscard]] at::Tensor weight() const { return weight_.flatten(); }
  [[nodiscard]] const at::Tensor& bias() const { return bias_; }

 private:
  checkpoint::Norm kind_;
  at::Tensor weight_;
  at::Tensor bias_;
};

/// One feed-forward: gated (`linear_in`, `linear_out`: out(act(u[:h]) * u[h:]), ActivationGating) or
/// plain (`linear1`, `linear2`: linear2(gelu(linear1(x)))).
class FeedForward {
 public:
  /// `weights` is the scope that holds the two matrices.
  FeedForward(checkpoint::Gating gating, int64_t dim, int64_t dim_feedforward, const Weights& weights);
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
  /// Stores both matrices as tiles, gate and up rows of the first in turns of 8.
  void tile();
  /// Stores both matrices as chunks.
  void chunk() {
    in_.chunk();
    out_.chunk();
  }
  [[nodiscard]] const Linear& in() const { return in_; }
  [[nodiscard]] const Linear& out() const { return out_; }

 private:
  checkpoint::Gating gating_;
  Linear in_;
  Linear out_;
  bool interleaved_ = false;
};

/// Hidden width of a gated feed-forward: 21 * dim / 8 where ff == 4 * dim, else 2 * ff / 3
/// (ActivationGating.__init__).
int64_t gating_hidden(int64_t dim, int64_t dim_feedforward);

/// Rotations of one call, shared by all layers (apply_rope).
struct Rope {
  at::Tensor cos;  ///< [B, T, 1, D/2], f32.
  at::Tensor sin;
  bool interleave = true;

  /// `positions` f32 [B, T]; `head_dim` D.
  static Rope at_positions(const at::Tensor& positions, int64_t head_dim, double max_period, bool interleave);
  /// x [B, T, H, D] rotated, in x's dtype.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
};

/// Sinusoidal embedding [B, T, dim] of `positions` [B, T] (create_sin_embedding).
at::Tensor sin_embedding(const at::Tensor& positions, int64_t dim, double max_period, at::ScalarType dtype);

}  // namespace moshi::nn
