// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/stepper.h"

#include <c10/core/DeviceGuard.h>

#include "checkpoint/warnings.h"
#ifdef MOSHI_CUDA
#include "lm/cuda_stepper.h"
#endif

namespace moshi::lm {

EagerStepper::EagerStepper(const LanguageModel& model)
    : model_(&model), state_(model.make_state(1)), conditions_(1) {}

void EagerStepper::grow(int64_t slots) {
  model_->grow(state_, slots);
  conditions_.resize(static_cast<size_t>(slots));
}

void EagerStepper::set_condition(int64_t slot, const at::Tensor& condition) {
  conditions_[static_cast<size_t>(slot)] = condition.defined() ? condition.to(model_->dtype()) : condition;
}

void EagerStepper::skip(int64_t slot, int steps) {
  // Keys and values are what the memory holds: zeros, or those of an earlier conversation.
  state_.temporal.offsets[static_cast<size_t>(slot)] += steps;
}

StepperFigures EagerStepper::figures() const {
  StepperFigures figures;
  for (const auto* rings : {&state_.temporal.keys, &state_.temporal.values}) {
    for (const nn::KvRing& ring : *rings) figures.kv_bytes += ring.bytes();
  }
  return figures;
}

StepInput EagerStepper::input_of(std::span<const StepRow> rows) const {
  std::vector<int64_t> slots;
  std::vector<int64_t> tokens;
  std::vector<at::Tensor> conditions;
  std::vector<SamplingRow> text;
  std::vector<SamplingRow> audio;
  std::vector<int64_t> guided;
  std::vector<float> guidance;
  const auto add = [&](int64_t slot, const StepRow& row) {
    slots.push_back(slot);
    tokens.insert(tokens.end(), row.tokens.begin(), row.tokens.end());
    conditions.push_back(conditions_[static_cast<size_t>(slot)]);
  };
  for (const StepRow& row : rows) {
    add(row.slot, row);
    text.push_back(row.text);
    audio.push_back(row.audio);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].null_slot < 0) {
      continue;
    }
    add(rows[i].null_slot, rows[i]);
    guided.push_back(static_cast<int64_t>(i));
    guidance.push_back(rows[i].guidance);
  }
  const at::Device device = model_->device();
  const auto count = static_cast<int64_t>(slots.size());
  return {nn::Rows(slots, device),
          at::tensor(tokens, at::kLong).view({count, -1}).to(device),
          conditions.front().defined() ? at::stack(conditions) : at::Tensor(),
          guided,
          guidance,
          Sampler(text, device),
          Sampler(audio, device)};
}

std::vector<StepResult> EagerStepper::step(std::span<const StepRow> rows) {
  const StepOutput output = model_->step(input_of(rows), state_);
  // The step's one read-back.
  const at::Tensor tokens = output.tokens.cpu().contiguous();
  const at::Tensor heads =
      output.extra_heads.defined() ? output.extra_heads.cpu().contiguous() : at::empty({tokens.size(0), 0});
  std::vector<StepResult> results;
  for (int64_t b = 0; b < tokens.size(0); ++b) {
    const int64_t* first = tokens.const_data_ptr<int64_t>() + b * tokens.size(1);
    const float* head = heads.const_data_ptr<float>() + b * heads.size(1);
    results.push_back({{first, first + tokens.size(1)}, {head, head + heads.size(1)}});
  }
  return results;
}

std::unique_ptr<Stepper> make_stepper(LanguageModel& model, [[maybe_unused]] bool graphs,
                                      [[maybe_unused]] int sessions) {
#ifdef MOSHI_CUDA
  if (model.device().is_cuda()) {
    const std::string obstacle = CudaStepper::obstacle(model.config());
    if (obstacle.empty()) {
      const c10::DeviceGuard guard(model.device());
      return std::make_unique<CudaStepper>(model, graphs, sessions);
    }
    warn(
        "the language model runs without CUDA kernels and graphs, several times slower: expected sizes they"
        " can do, found " +
        obstacle);
  }
#endif
  return std::make_unique<EagerStepper>(model);
}

}  // namespace moshi::lm
