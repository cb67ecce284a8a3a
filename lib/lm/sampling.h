// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>

namespace moshi::lm {

/// How one row of a batch samples one kind of token.
struct SamplingRow {
  float temperature = 0;  ///< 0 or less: greedy.
  int top_k = 0;          ///< 0: the whole vocabulary.
  uint64_t seed = 0;
  int64_t step = 0;  ///< Position of the conversation.
};

/// The sampling settings of a batch, on its device.
class Sampler {
 public:
  Sampler(std::span<const SamplingRow> rows, at::Device device);

  /// Tokens int64 [B] for logits [B, vocabulary]: softmax(logits / temperature) over the whole
  /// vocabulary in f32, its k most probable, then argmax p / q with q ~ Exp(1) keyed by (seed, step,
  /// `stream`, token). Reference: moshi/utils/sampling.py, sample_token and multinomial.
  [[nodiscard]] at::Tensor sample(const at::Tensor& logits, uint32_t stream) const;

 private:
  bool greedy_ = true;
  int64_t widest_ = 1;       ///< Largest top-k; 0: the whole vocabulary.
  at::Tensor temperatures_;  ///< [B, 1] f32.
  at::Tensor top_k_;         ///< [B] int64.
  at::Tensor seeds_;
  at::Tensor steps_;
};

}  // namespace moshi::lm
