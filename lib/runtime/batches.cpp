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

/// What the conversation's next step reads.
lm::StepRow begin(LmFrameState& frame) {
  const Sampling& sampling = frame.sampling;
  const int64_t position = frame.ring.position();
  lm::StepRow row;
  row.slot = frame.slot;
  row.null_slot = frame.null_slot;
  row.guidance = sampling.cfg_coef;
  row.tokens.resize(frame.ring.rows());
  frame.ring.begin(frame.user_codes, row.tokens);
  row.text = {sampling.greedy ? 0 : sampling.text_temperature, sampling.text_top_k, sampling.seed, position};
  row.audio = {sampling.greedy ? 0 : sampling.audio_temperature, sampling.audio_top_k, sampling.seed,
               position};
  return row;
}

/// What comes out of it.
void finish(LmFrameState& frame, const lm::StepResult& step) {
  LmFrame& result = frame.result;
  std::vector<int64_t> undelayed(step.tokens.size());
  result.ready = frame.ring.finish(step.tokens, undelayed);
  result.text = static_cast<int32_t>(undelayed.front());
  result.audio.assign(undelayed.begin() + 1, undelayed.end());
  result.extra_heads = step.extra_heads;
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
  const auto frames = in_slot_order<LmFrameState>(batch);
  std::vector<lm::StepRow> rows;
  for (LmFrameState* frame : frames) {
    if (std::exchange(frame->reset, false)) {
      restart(*frame);
    }
    rows.push_back(begin(*frame));
  }
  const std::vector<lm::StepResult> results = lm_->stepper->step(rows);
  for (size_t b = 0; b < frames.size(); ++b) {
    finish(*frames[b], results[b]);
  }
}

void Context::restart(LmFrameState& frame) const {
  lm_->stepper->reset(frame.slot);
  if (frame.null_slot >= 0) {
    lm_->stepper->reset(frame.null_slot);
  }
  frame.ring.reset();
}

}  // namespace moshi::runtime
