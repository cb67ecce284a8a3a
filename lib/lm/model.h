// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The language model: a temporal transformer over frames and a depth transformer over the codebooks
// of one frame. Reference: moshi/models/lm.py, LMModel and LMGen.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "checkpoint/config.h"
#include "lm/conditions.h"
#include "lm/embedding.h"
#include "lm/sampling.h"
#include "nn/linear.h"
#include "nn/transformer.h"

namespace moshi::lm {

/// Streaming state of all conversations: one slot each. The depth transformer's is scratch, it
/// starts anew every frame.
struct LmState {
  nn::TransformerState temporal;
  nn::TransformerState depth;
};

/// One step of a batch of B conversations, N of them guided (classifier-free guidance): these have a
/// second row without (or with the null) condition, behind the first B.
struct StepInput {
  nn::Rows rows;                ///< B + N slots.
  at::Tensor tokens;            ///< int64 [B + N, n_q + 1], the model's input at each position.
  at::Tensor condition;         ///< [B + N, 1, dim] in the model's dtype, or undefined.
  std::vector<int64_t> guided;  ///< For each of the N rows the row in [0, B) it guides.
  std::vector<float> guidance;  ///< cfg_coef of each of the N: null + (cond - null) * coef.
  Sampler text;                 ///< For the B conversations.
  Sampler audio;
};

/// What a step generates.
struct StepOutput {
  at::Tensor tokens;       ///< int64 [B, 1 + generated]: text, then audio.
  at::Tensor extra_heads;  ///< f32 [B, heads]: probability of class 0; undefined where there are none.
};

/// Teacher-forced logits over given codes, aligned with them; NaN where delays leave none.
struct Logits {
  at::Tensor audio;      ///< f32 [B, dep_q, T, card].
  at::Tensor text;       ///< f32 [B, 1, T, text_card_out].
  at::Tensor mask;       ///< bool [B, dep_q, T].
  at::Tensor text_mask;  ///< bool [B, 1, T].
};

class LanguageModel {
 public:
  /// `generated`: audio rows a step generates (dep_q; fewer where the rest is overwritten by the
  /// user's codes). Throws WrongType or Settings.
  LanguageModel(checkpoint::LmConfig config, int generated, const nn::Weights& weights);

  [[nodiscard]] const checkpoint::LmConfig& config() const { return config_; }
  [[nodiscard]] int generated() const { return generated_; }
  [[nodiscard]] const ConditionSum& conditions() const { return conditions_; }
  /// Of activations, and of keys and values that are not int8.
  [[nodiscard]] at::ScalarType dtype() const { return dtype_; }
  /// Keys and values of conversations that begin from now on are int8.
  void quantize_kv() { temporal_.quantize_kv(); }
  [[nodiscard]] at::Device device() const { return device_; }
  [[nodiscard]] uint64_t weight_bytes() const { return weight_bytes_; }

  [[nodiscard]] LmState make_state(int64_t slots) const;
  void grow(LmState& state, int64_t slots) const;
  /// Bytes of the embedding tables, of which a step reads a few rows only.
  [[nodiscard]] uint64_t embedding_bytes() const;
  /// Bytes of one position of one conversation's keys and values.
  [[nodiscard]] uint64_t position_bytes() const { return temporal_.position_bytes(); }

  /// Hibiki: an end-of-sequence token (2) read back acts as padding (3), as get_moshi in
  /// moshi/models/loaders.py makes it.
  void treat_end_as_padding() { text_embedding_.copy_row(3, 2); }

  /// One step; nothing is read back to the host.
  [[nodiscard]] StepOutput step(const StepInput& input, LmState& state) const;

  /// LMModel.forward over codes int64 [B, n_q + 1, T] (-1: zero embedding, not counted in the
  /// mask). `streaming`: the same one position and one codebook at a time through the rings.
  /// `condition` f32 [1, dim] or undefined.
  [[nodiscard]] Logits forward(const at::Tensor& codes, const at::Tensor& condition, bool streaming) const;

 private:
  friend class CudaStepper;  // Steps with the same weights by other means.
  void make_depth(const nn::Weights& weights);
  [[nodiscard]] at::Tensor embed(const at::Tensor& tokens) const;
  [[nodiscard]] at::Tensor depth_input(int codebook, const at::Tensor& previous,
                                       const at::Tensor& hidden) const;
  [[nodiscard]] at::Tensor head(int codebook, const at::Tensor& depth_output) const;
  [[nodiscard]] at::Tensor depth_step(int codebook, const at::Tensor& previous, const at::Tensor& hidden,
                                      nn::TransformerState& state, const nn::Rows& rows) const;
  void restart_depth(LmState& state, int64_t rows) const;
  [[nodiscard]] at::Tensor depth_forward(const at::Tensor& targets, const at::Tensor& hidden,
                                         bool streaming) const;

  checkpoint::LmConfig config_;
  at::ScalarType dtype_;
  at::Device device_;
  int generated_;
  std::vector<Embedding> embeddings_;
  Embedding text_embedding_;
  nn::Transformer temporal_;
  nn::NormLayer out_norm_;
  nn::Linear text_linear_;
  std::vector<nn::Linear> extra_heads_;
  std::vector<nn::Linear> depth_in_;
  std::vector<Embedding> depth_embeddings_;
  std::optional<Embedding> depth_text_embedding_;
  std::optional<nn::Transformer> depth_;
  std::vector<nn::NormLayer> depth_norms_;
  std::vector<nn::Linear> linears_;
  ConditionSum conditions_;
  uint64_t weight_bytes_ = 0;
};

}  // namespace moshi::lm
