// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

namespace moshi::lm {
namespace {

/// Shifts codes [B, K, T] by their rows' delays behind the initial tokens, with one more position in
/// front: [B, K, T + 1] (lm_utils.py, _delay_sequence).
at::Tensor delayed(const at::Tensor& codes, const checkpoint::LmConfig& config) {
  const int64_t steps = codes.size(2);
  at::Tensor sequence = at::full({codes.size(0), codes.size(1), steps + 1}, config.card, codes.options());
  sequence.select(1, 0).fill_(config.text_card);
  for (int64_t row = 0; row < codes.size(1); ++row) {
    const int64_t delay = config.delays[static_cast<size_t>(row)];
    if (delay < steps) {
      sequence.select(1, row)
          .narrow(1, 1 + delay, steps - delay)
          .copy_(codes.select(1, row).narrow(1, 0, steps - delay));
    }
  }
  return sequence;
}

/// Moves logits [B, K, T, V] back by their rows' delays, NaN behind them, and masks these and the
/// codes that are -1 (lm_utils.py, _undelay_sequence).
std::pair<at::Tensor, at::Tensor> undelayed(const at::Tensor& logits, const at::Tensor& codes,
                                            const int* delays) {
  const int64_t steps = logits.size(2);
  at::Tensor moved = at::full_like(logits, std::numeric_limits<double>::quiet_NaN());
  at::Tensor mask = codes != -1;
  for (int64_t row = 0; row < logits.size(1); ++row) {
    const int64_t delay = std::min<int64_t>(delays[row], steps);
    moved.select(1, row)
        .narrow(1, 0, steps - delay)
        .copy_(logits.select(1, row).narrow(1, delay, steps - delay));
    mask.select(1, row).narrow(1, steps - delay, delay).fill_(false);
  }
  return {moved, mask};
}

/// null + (cond - null) * coef for the guided rows; [B + N, V] -> [B, V] (LMGen._step).
at::Tensor guide(const at::Tensor& logits, const StepInput& input) {
  if (input.guided.empty()) {
    return logits;
  }
  const auto extra = static_cast<int64_t>(input.guided.size());
  const int64_t batch = logits.size(0) - extra;
  at::Tensor merged = logits.narrow(0, 0, batch).clone();
  const at::Tensor rows = at::tensor(input.guided, at::kLong).to(logits.device());
  const at::Tensor coefs = at::tensor(input.guidance).to(logits.options()).unsqueeze(1);
  const at::Tensor null = logits.narrow(0, batch, extra);
  merged.index_copy_(0, rows, null + (merged.index_select(0, rows) - null) * coefs);
  return merged;
}

/// Tokens [B] of the conversations for all rows [B + N].
at::Tensor with_guided(const at::Tensor& tokens, const StepInput& input) {
  if (input.guided.empty()) {
    return tokens;
  }
  return at::cat({tokens, tokens.index_select(0, at::tensor(input.guided, at::kLong).to(tokens.device()))});
}

}  // namespace

LanguageModel::LanguageModel(checkpoint::LmConfig config, int generated, const nn::Weights& weights)
    : config_(std::move(config)),
      dtype_(weights.options().dtype().toScalarType()),
      device_(weights.options().device()),
      generated_(generated),
      text_embedding_(config_.text_card + 1, config_.temporal.dim, config_.norm_emb, 0, weights["text_emb"]),
      temporal_(config_.temporal, weights["transformer"]),
      out_norm_(config_.temporal.norm, config_.temporal.dim, weights["out_norm"]),
      text_linear_(weights.matrix("text_linear.weight", {config_.text_card_out, config_.temporal.dim}),
                   weights.get_if(config_.bias_proj, "text_linear.bias", {config_.text_card_out})),
      conditions_(config_, weights["condition_provider"]["conditioners"]) {
  const int64_t dim = config_.temporal.dim;
  for (int i = 0; i < config_.n_q; ++i) {
    embeddings_.emplace_back(config_.card + 1, dim, config_.norm_emb, 0, weights["emb"][std::to_string(i)]);
  }
  for (int i = 0; i < config_.extra_heads; ++i) {
    extra_heads_.emplace_back(
        weights.matrix("extra_heads." + std::to_string(i) + ".weight", {config_.extra_heads_dim, dim}));
  }
  if (config_.dep_q > 0) {
    make_depth(weights);
  }
  weight_bytes_ = weights.bytes();
}

void LanguageModel::make_depth(const nn::Weights& weights) {
  const int64_t dim = config_.temporal.dim;
  const int64_t width = config_.depth.dim;
  const int low_rank = config_.depformer_low_rank_embeddings;
  const int inputs = !config_.depformer_multi_linear  ? 1
                     : config_.depth.schedule.empty() ? config_.dep_q
                                                      : config_.depth.weight_sets();
  for (int i = 0; i < inputs; ++i) {
    depth_in_.emplace_back(weights.matrix("depformer_in." + std::to_string(i) + ".weight", {width, dim}));
  }
  for (int i = 0; i + 1 < config_.dep_q; ++i) {
    depth_embeddings_.emplace_back(config_.card + 1, width, config_.norm_emb, low_rank,
                                   weights["depformer_emb"][std::to_string(i)]);
  }
  depth_text_embedding_.emplace(config_.text_card + 1, width, config_.norm_emb, low_rank,
                                weights["depformer_text_emb"]);
  depth_.emplace(config_.depth, weights["depformer"]);
  for (int i = 0; i < config_.dep_q; ++i) {
    const std::string index = std::to_string(i);
    if (config_.depformer_norm) {
      depth_norms_.emplace_back(*config_.depformer_norm, width, weights["depformer_norms"][index]);
    }
    linears_.emplace_back(weights.matrix("linears." + index + ".weight", {config_.card, width}),
                          weights.get_if(config_.bias_proj, "linears." + index + ".bias", {config_.card}));
  }
}

LmState LanguageModel::make_state(int64_t slots) const {
  return {temporal_.make_state(slots), depth_ ? depth_->make_state(slots) : nn::TransformerState{}};
}

void LanguageModel::grow(LmState& state, int64_t slots) const {
  temporal_.grow(state.temporal, slots);
  if (depth_) {
    depth_->grow(state.depth, slots);
  }
}

uint64_t LanguageModel::embedding_bytes() const {
  uint64_t bytes = text_embedding_.bytes() + (depth_text_embedding_ ? depth_text_embedding_->bytes() : 0);
  for (const auto* tables : {&embeddings_, &depth_embeddings_}) {
    for (const Embedding& table : *tables) {
      bytes += table.bytes();
    }
  }
  return bytes;
}

at::Tensor LanguageModel::embed(const at::Tensor& tokens) const {
  at::Tensor sum;
  for (int64_t i = 0; i < config_.n_q; ++i) {
    const at::Tensor one = embeddings_[static_cast<size_t>(i)](tokens.select(1, i + 1));
    sum = sum.defined() ? sum + one : one;
  }
  const at::Tensor text = text_embedding_(tokens.select(1, 0));
  return sum.defined() ? sum + text : text;
}

at::Tensor LanguageModel::depth_input(int codebook, const at::Tensor& previous,
                                      const at::Tensor& hidden) const {
  const auto index = static_cast<size_t>(codebook);
  const size_t in = depth_in_.size() == 1            ? 0
                    : config_.depth.schedule.empty() ? index
                                                     : static_cast<size_t>(config_.depth.schedule[index]);
  const Embedding& embedding = codebook == 0 ? *depth_text_embedding_ : depth_embeddings_[index - 1];
  return depth_in_[in](hidden) + embedding(previous);
}

at::Tensor LanguageModel::head(int codebook, const at::Tensor& depth_output) const {
  const auto index = static_cast<size_t>(codebook);
  const at::Tensor normed = depth_norms_.empty() ? depth_output : depth_norms_[index](depth_output);
  return linears_[index](normed);
}

void LanguageModel::restart_depth(LmState& state, int64_t rows) const {
  depth_->grow(state.depth, rows);
  std::fill(state.depth.offsets.begin(), state.depth.offsets.end(), 0);
}

at::Tensor LanguageModel::depth_step(int codebook, const at::Tensor& previous, const at::Tensor& hidden,
                                     nn::TransformerState& state, const nn::Rows& rows) const {
  const at::Tensor x = depth_input(codebook, previous.unsqueeze(1), hidden);
  return head(codebook, depth_->step(x, state, rows)).squeeze(1);
}

StepOutput LanguageModel::step(const StepInput& input, LmState& state) const {
  at::Tensor x = embed(input.tokens.unsqueeze(-1));
  if (input.condition.defined()) {
    x = x + input.condition;
  }
  const at::Tensor hidden = out_norm_(temporal_.step(x, state.temporal, input.rows));
  const at::Tensor text_logits = text_linear_(hidden).squeeze(1);

  StepOutput output;
  std::vector<at::Tensor> tokens = {input.text.sample(guide(text_logits, input), 0)};
  if (generated_ > 0) {
    const nn::Rows depth_rows = nn::Rows::first(hidden.size(0), hidden.device());
    restart_depth(state, hidden.size(0));
    for (int codebook = 0; codebook < generated_; ++codebook) {
      const at::Tensor logits =
          depth_step(codebook, with_guided(tokens.back(), input), hidden, state.depth, depth_rows);
      tokens.push_back(input.audio.sample(guide(logits, input), static_cast<uint32_t>(codebook) + 1));
    }
  }
  output.tokens = at::stack(tokens, 1);
  if (!extra_heads_.empty()) {
    const at::Tensor own = hidden.narrow(0, 0, output.tokens.size(0)).squeeze(1);
    std::vector<at::Tensor> heads;
    for (const nn::Linear& head : extra_heads_) {
      heads.push_back(at::softmax(head(own).to(at::kFloat), -1).select(-1, 0));
    }
    output.extra_heads = at::stack(heads, 1);
  }
  return output;
}

at::Tensor LanguageModel::depth_forward(const at::Tensor& targets, const at::Tensor& hidden,
                                        bool streaming) const {
  const int64_t batch = hidden.size(0);
  const int64_t steps = hidden.size(1);
  const at::Tensor flat = hidden.reshape({batch * steps, 1, hidden.size(2)});
  std::vector<at::Tensor> logits;
  if (streaming) {
    LmState state{{}, depth_->make_state(batch * steps)};
    const nn::Rows rows = nn::Rows::first(batch * steps, hidden.device());
    for (int k = 0; k < config_.dep_q; ++k) {
      const at::Tensor previous = targets.select(1, k).reshape({batch * steps});
      logits.push_back(depth_step(k, previous, flat, state.depth, rows).view({batch, steps, -1}));
    }
  } else {
    std::vector<at::Tensor> inputs;
    for (int k = 0; k < config_.dep_q; ++k) {
      inputs.push_back(depth_input(k, targets.select(1, k).reshape({batch * steps, 1}), flat));
    }
    const at::Tensor outputs = depth_->forward(at::cat(inputs, 1));
    for (int k = 0; k < config_.dep_q; ++k) {
      logits.push_back(head(k, outputs.select(1, k)).view({batch, steps, -1}));
    }
  }
  return at::stack(logits, 1);
}

Logits LanguageModel::forward(const at::Tensor& codes, const at::Tensor& condition, bool streaming) const {
  const int64_t batch = codes.size(0);
  const int64_t steps = codes.size(2);
  const at::Tensor sequence = delayed(codes, config_);
  at::Tensor x = embed(sequence.narrow(2, 0, steps));
  if (condition.defined()) {
    x = x + condition.to(x.options());
  }
  at::Tensor hidden;
  if (streaming) {
    nn::TransformerState state = temporal_.make_state(batch);
    const nn::Rows rows = nn::Rows::first(batch, x.device());
    std::vector<at::Tensor> outputs;
    for (int64_t t = 0; t < steps; ++t) {
      outputs.push_back(out_norm_(temporal_.step(x.narrow(1, t, 1), state, rows)));
    }
    hidden = at::cat(outputs, 1);
  } else {
    hidden = out_norm_(temporal_.forward(x));
  }

  Logits result;
  const at::Tensor text = text_linear_(hidden).to(at::kFloat);
  std::tie(result.text, result.text_mask) =
      undelayed(text.unsqueeze(1), codes.narrow(1, 0, 1), config_.delays.data());
  if (config_.dep_q > 0) {
    const at::Tensor targets = sequence.narrow(2, 1, steps);
    std::tie(result.audio, result.mask) =
        undelayed(depth_forward(targets, hidden, streaming).to(at::kFloat), codes.narrow(1, 1, config_.dep_q),
                  config_.delays.data() + 1);
  } else {
    result.audio = at::empty({batch, 0, steps, config_.card}, text.options());
    result.mask = at::empty({batch, 0, steps}, text.options().dtype(at::kBool));
  }
  return result;
}

}  // namespace moshi::lm
