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

/// How a stepper works.
struct StepperFigures {
  bool graphs = false;     ///< Replays CUDA graphs.
  uint64_t overflows = 0;  ///< Activations cut to the largest f16, of int8 products on CUDA devices.
  uint64_t kv_bytes = 0;   ///< Keys and values that conversations hold.
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
  /// Goes on as if the conversation had had `steps` steps more, with any keys and values.
  virtual void skip(int64_t slot, int steps) = 0;
  /// One step of each row, all of different slots.
  virtual std::vector<StepResult> step(std::span<const StepRow> rows) = 0;
  [[nodiscard]] virtual StepperFigures figures() const = 0;
};

/// Steps through LibTorch's operators, on any device. `model` must outlive it.
class EagerStepper final : public Stepper {
 public:
  explicit EagerStepper(const LanguageModel& model);
  void grow(int64_t slots) override;
  void set_condition(int64_t slot, const at::Tensor& condition) override;
  void reset(int64_t slot) override { state_.temporal.reset(slot); }
  void skip(int64_t slot, int steps) override;
  std::vector<StepResult> step(std::span<const StepRow> rows) override;
  [[nodiscard]] StepperFigures figures() const override;

 private:
  [[nodiscard]] StepInput input_of(std::span<const StepRow> rows) const;

  const LanguageModel* model_;
  LmState state_;
  std::vector<at::Tensor> conditions_;  ///< Per slot [1, dim] in the model's dtype, or undefined.
};

/// The fastest stepper for `model`, which it takes over: kernels on a CUDA device, where the model's sizes
/// suit them (else a warning says why not), through CUDA graphs if `graphs`. What `sessions` conversations
/// need to begin is made ready at once.
std::unique_ptr<Stepper> make_stepper(LanguageModel& model, bool graphs, int sessions = 0);

}  // namespace moshi::lm
