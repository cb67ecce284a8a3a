// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Steps of many conversations at a time: owns what each has in memory between its frames.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lm/model.h"
#include "lm/sampling.h"

namespace moshi::lm {

/// One conversation of a step.
struct StepRow {
  int64_t slot = 0;
  /// Second slot of a guided conversation (classifier-free guidance), which is stepped along with the null
  /// condition: logits are null + (own - null) * guidance. -1: none.
  int64_t null_slot = -1;
  float guidance = 1;
  std::vector<int64_t> tokens;  ///< The model's input, as TokenRing::begin gives it.
  SamplingRow text;
  SamplingRow audio;
};

/// What it generates.
struct StepResult {
  std::vector<int64_t> tokens;     ///< Text, then audio: what TokenRing::finish takes.
  std::vector<float> extra_heads;  ///< Probability of class 0 of each.
};

/// Conversations live in slots, which their owner hands out. Not thread-safe.
class Stepper {
 public:
  virtual ~Stepper() = default;
  /// Makes room for `slots` slots; what is in the others stays.
  virtual void grow(int64_t slots) = 0;
  /// Sets the condition of a slot: f32 [1, dim], or undefined.
  virtual void set_condition(int64_t slot, const at::Tensor& condition) = 0;
  /// Back to the start of a conversation.
  virtual void reset(int64_t slot) = 0;
  /// One step of each row, all of different slots.
  virtual std::vector<StepResult> step(std::span<const StepRow> rows) = 0;
};

/// Steps through LibTorch's operators, on any device. `model` must outlive it.
class EagerStepper final : public Stepper {
 public:
  explicit EagerStepper(const LanguageModel& model);
  void grow(int64_t slots) override;
  void set_condition(int64_t slot, const at::Tensor& condition) override;
  void reset(int64_t slot) override { state_.temporal.reset(slot); }
  std::vector<StepResult> step(std::span<const StepRow> rows) override;

 private:
  [[nodiscard]] StepInput input_of(std::span<const StepRow> rows) const;

  const LanguageModel* model_;
  LmState state_;
  std::vector<at::Tensor> conditions_;  ///< Per slot [1, dim] in the model's dtype, or undefined.
};

}  // namespace moshi::lm
