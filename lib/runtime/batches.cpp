// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the engine's thread does with a batch of frames.
#include <algorithm>
#include <cstring>

#include "runtime/context.h"
#include "runtime/device.h"

namespace moshi::runtime {
namespace {

/// The frames as their own type, in slot order: neighbours in the state need no copies.
template <typename T>
std::vector<T*> in_slot_order(std::span<Frame* const> batch) {
  std::vector<T*> frames;
  for (Frame* frame : batch) {
    frames.push_back(static_cast<T*>(frame));
  }
  std::sort(frames.begin(), frames.end(), [](const T* a, const T* b) { return a->slot < b->slot; });
  return frames;
}

template <typename T>
nn::Rows rows_of(const std::vector<T*>& frames, at::Device device) {
  std::vector<int64_t> slots;
  for (const T* frame : frames) {
    slots.push_back(frame->slot);
  }
  return {std::move(slots), device};
}

/// Frames whose number of codebooks differs cannot share a batch: runs each number by itself.
template <typename T, typename F>
void by_codebooks(const std::vector<T*>& frames, const F& run) {
  std::vector<T*> left = frames;
  while (!left.empty()) {
    const int codebooks = left.front()->codebooks;
    const auto others = std::stable_partition(left.begin(), left.end(),
                                              [&](const T* frame) { return frame->codebooks == codebooks; });
    run(std::vector<T*>(left.begin(), others));
    left.erase(left.begin(), others);
  }
}

/// One row per frame from a member vector, on `device`.
template <typename V, typename T>
at::Tensor stacked(const std::vector<T*>& frames, std::vector<V> T::*member, at::Device device) {
  const auto width = static_cast<int64_t>((frames.front()->*member).size());
  at::Tensor host =
      at::empty({static_cast<int64_t>(frames.size()), width}, c10::CppTypeToScalarType<V>::value);
  V* out = host.mutable_data_ptr<V>();
  for (const T* frame : frames) {
    out = std::copy((frame->*member).begin(), (frame->*member).end(), out);
  }
  return host.to(device);
}

/// The inverse: row b of a tensor [B, ...] to frame b.
template <typename V, typename T>
void unstack(const at::Tensor& tensor, const std::vector<T*>& frames, std::vector<V> T::*member) {
  const at::Tensor host = tensor.cpu().contiguous();
  const V* in = host.const_data_ptr<V>();
  const int64_t width = host.numel() / static_cast<int64_t>(frames.size());
  for (T* frame : frames) {
    (frame->*member).assign(in, in + width);
    in += width;
  }
}

}  // namespace

void Context::run(Stage stage, std::span<Frame* const> batch) {
  switch (stage) {
    case Stage::Encode:
      with_errors("encoding", [&] { encode(batch); });
      break;
    case Stage::Decode:
      with_errors("decoding", [&] { decode(batch); });
      break;
    case Stage::Step:
      with_errors("the language model's step", [&] { step(batch); });
      break;
  }
}

void Context::encode(std::span<Frame* const> batch) {
  by_codebooks(in_slot_order<EncoderFrame>(batch), [&](const std::vector<EncoderFrame*>& frames) {
    for (EncoderFrame* frame : frames) {
      if (std::exchange(frame->reset, false)) {
        codec_->encoder.reset(frame->slot);
      }
    }
    const at::Tensor pcm = stacked(frames, &EncoderFrame::pcm, device_);
    const at::Tensor codes = codec_->model.encoder().encode(pcm, frames.front()->codebooks, codec_->encoder,
                                                            rows_of(frames, device_));
    unstack(codes, frames, &EncoderFrame::codes);
  });
}

void Context::decode(std::span<Frame* const> batch) {
  by_codebooks(in_slot_order<DecoderFrame>(batch), [&](const std::vector<DecoderFrame*>& frames) {
    for (DecoderFrame* frame : frames) {
      if (std::exchange(frame->reset, false)) {
        codec_->decoder.reset(frame->slot);
      }
    }
    const at::Tensor codes = stacked(frames, &DecoderFrame::codes, device_).unsqueeze(-1);
    const at::Tensor pcm = codec_->model.decoder().decode(codes, codec_->decoder, rows_of(frames, device_));
    unstack(pcm, frames, &DecoderFrame::pcm);
  });
}

void Context::step(std::span<Frame* const> batch) {
  const lm::LanguageModel& model = lm_->model;
  const auto frames = in_slot_order<LmFrameState>(batch);
  const size_t width = static_cast<size_t>(model.config().n_q) + 1;

  std::vector<int64_t> slots;
  std::vector<int64_t> null_slots;
  std::vector<int64_t> tokens;
  std::vector<at::Tensor> conditions;
  std::vector<at::Tensor> null_conditions;
  std::vector<lm::SamplingRow> text;
  std::vector<lm::SamplingRow> audio;
  std::vector<int64_t> guided;
  std::vector<float> guidance;
  for (LmFrameState* frame : frames) {
    if (std::exchange(frame->reset, false)) {
      lm_->state.temporal.reset(frame->slot);
      if (frame->null_slot >= 0) {
        lm_->state.temporal.reset(frame->null_slot);
      }
      frame->ring.reset();
    }
    const auto row = static_cast<int64_t>(slots.size());
    slots.push_back(frame->slot);
    tokens.resize(tokens.size() + width);
    frame->ring.begin(frame->user_codes, std::span(tokens).last(width));
    conditions.push_back(frame->condition);
    const Sampling& sampling = frame->sampling;
    text.push_back({sampling.greedy ? 0 : sampling.text_temperature, sampling.text_top_k, sampling.seed,
                    frame->ring.position()});
    audio.push_back({sampling.greedy ? 0 : sampling.audio_temperature, sampling.audio_top_k, sampling.seed,
                     frame->ring.position()});
    if (frame->null_slot >= 0) {
      null_slots.push_back(frame->null_slot);
      null_conditions.push_back(frame->null_condition);
      guided.push_back(row);
      guidance.push_back(sampling.cfg_coef);
    }
  }
  for (const int64_t row : guided) {
    const auto first = tokens.begin() + row * static_cast<int64_t>(width);
    const std::vector<int64_t> copy(first, first + static_cast<int64_t>(width));
    tokens.insert(tokens.end(), copy.begin(), copy.end());
  }
  slots.insert(slots.end(), null_slots.begin(), null_slots.end());
  conditions.insert(conditions.end(), null_conditions.begin(), null_conditions.end());

  const lm::StepInput input{nn::Rows(slots, device_),
                            at::tensor(tokens, at::kLong)
                                .view({static_cast<int64_t>(slots.size()), static_cast<int64_t>(width)})
                                .to(device_),
                            conditions.front().defined() ? at::stack(conditions) : at::Tensor(),
                            guided,
                            guidance,
                            lm::Sampler(text, device_),
                            lm::Sampler(audio, device_)};
  const lm::StepOutput output = model.step(input, lm_->state);

  // The step's one read-back.
  const at::Tensor generated = output.tokens.cpu().contiguous();
  const at::Tensor heads =
      output.extra_heads.defined() ? output.extra_heads.cpu().contiguous() : at::Tensor();
  const auto count = static_cast<size_t>(generated.size(1));
  std::vector<int64_t> undelayed(count);
  for (size_t b = 0; b < frames.size(); ++b) {
    LmFrame& result = frames[b]->result;
    const std::span<const int64_t> row(generated.const_data_ptr<int64_t>() + b * count, count);
    result.ready = frames[b]->ring.finish(row, undelayed);
    result.text = static_cast<int32_t>(undelayed.front());
    result.audio.assign(undelayed.begin() + 1, undelayed.end());
    if (heads.defined()) {
      const float* values = heads.const_data_ptr<float>() + static_cast<int64_t>(b) * heads.size(1);
      result.extra_heads.assign(values, values + heads.size(1));
    }
  }
}

}  // namespace moshi::runtime
