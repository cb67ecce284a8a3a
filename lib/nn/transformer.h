// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The streaming transformer all parts of the family share: Mimi's two, the temporal and the depth
// transformer. Reference: moshi/modules/transformer.py, StreamingTransformer and RingKVCache.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/config.h"
#include "cuda/attention/attention.h"
#include "nn/kv_ring.h"
#include "nn/layers.h"
#include "nn/linear.h"
#include "nn/rows.h"
#include "nn/weights.h"

namespace moshi::nn {

/// Keys and values of all layers as rings of `context` positions, and each slot's step count.
struct TransformerState {
  std::vector<KvRing> keys;      ///< Per layer, rotated.
  std::vector<KvRing> values;    ///< Same.
  std::vector<int64_t> offsets;  ///< Per slot: steps executed since its last reset; never wraps.

  /// Back to the start of a stream. Old keys stay and are never looked at again.
  void reset(int64_t slot) { offsets[static_cast<size_t>(slot)] = 0; }
};

/// Where one call's steps go in the rings and what each may see (RingKVCache.complete): new entries
/// are written first, then query p sees the ring's positions in (p - context, p].
struct RingPlan {
  std::vector<int64_t> positions;  ///< [B * T] stream positions of the new steps.
  std::vector<int64_t> writes;     ///< [B * T] ring entries they are written to.
  int64_t visible = 0;             ///< Ring entries [0, visible) are read.
  std::vector<uint8_t> mask;       ///< [B * T * visible], empty where every query sees them all.
};

/// The plan for `steps` new steps of rows whose streams are at `offsets`. `context` 0: no limit, the
/// ring never wraps.
RingPlan plan_ring(const std::vector<int64_t>& offsets, int64_t steps, int64_t context);

/// A stack of pre-norm layers: h = x + s1 * attention(norm1(x)); y = h + s2 * feed_forward(norm2(h)).
class Transformer {
 public:
  /// `weights` is the scope that holds `layers.{i}`. Throws Settings for what is not supported.
  Transformer(checkpoint::TransformerConfig config, const Weights& weights);
  ~Transformer();
  Transformer(Transformer&&) noexcept;

  [[nodiscard]] const checkpoint::TransformerConfig& config() const { return config_; }
  /// How kernels turn queries and keys by their positions.
  [[nodiscard]] cuda::Rotation rotation() const;
  /// Keys and values of states made from now on are int8: see KvRing.
  void quantize_kv() { int8_kv_ = true; }
  [[nodiscard]] bool int8_kv() const { return int8_kv_; }
  /// Of activations, and of other keys and values.
  [[nodiscard]] at::ScalarType dtype() const { return options_.dtype().toScalarType(); }
  /// An empty state with `slots` slots; rings lengthen as streams do.
  [[nodiscard]] TransformerState make_state(int64_t slots) const;
  /// Enlarges `state` to `slots` slots.
  void grow(TransformerState& state, int64_t slots) const;
  /// Bytes of one position of one slot over all layers.
  [[nodiscard]] uint64_t position_bytes() const;

  /// Streaming: x [B, T, dim] continues the streams of `rows` by T steps; [B, T, dim].
  [[nodiscard]] at::Tensor step(const at::Tensor& x, TransformerState& state, const Rows& rows) const;
  /// Offline: x [B, T, dim] from position 0 with the causal (and context) mask.
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const;

  struct Layer {
    std::vector<Linear> in_projs;   ///< Per weight set [(heads + 2 * kv heads) * head dim, dim].
    std::vector<Linear> out_projs;  ///< Per weight set [dim, dim].
    NormLayer norm1;
    NormLayer norm2;
    std::vector<FeedForward> feed_forwards;  ///< Per weight set.
    at::Tensor scale1;                       ///< Undefined: identity.
    at::Tensor scale2;
  };
  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }
  /// Stores all matrices as tiles.
  void tile();
  /// Stores all matrices as chunks.
  void chunk();
  /// The weight set that step `step` uses.
  [[nodiscard]] size_t set_of(int64_t step) const;

 private:
  struct Call;
  [[nodiscard]] at::Tensor run(at::Tensor x, const Call& call, TransformerState* state) const;
  [[nodiscard]] at::Tensor attend(const Layer& layer, size_t index, const at::Tensor& x, const Call& call,
                                  TransformerState* state) const;
  [[nodiscard]] at::Tensor add_positions(const at::Tensor& x, const at::Tensor& positions) const;
  void lengthen(TransformerState& state, int64_t positions) const;

  checkpoint::TransformerConfig config_;
  at::TensorOptions options_;  ///< Of activations, keys and values.
  int64_t head_dim_ = 0;
  int64_t kv_heads_ = 0;
  bool int8_kv_ = false;
  std::vector<Layer> layers_;
};

}  // namespace moshi::nn
