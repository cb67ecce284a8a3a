// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the engine's thread does with a batch of frames.
#include <ATen/record_function.h>

#include <algorithm>
#include <utility>

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
    case Stage::Encode: {
      RECORD_USER_SCOPE("encode");
      with_errors("encoding", [&] { encode(batch); });
      break;
    }
    case Stage::Decode: {
      RECORD_USER_SCOPE("decode");
      with_errors("decoding", [&] { decode(batch); });
      break;
    }
    case Stage::Step: {
      RECORD_USER_SCOPE("LM step");
      with_errors("the language model's step", [&] { step(batch); });
      break;
    }
  }
}

void Context::encode(std::span<Frame* const> batch) {
  std::vector<mimi::EncodeRow> rows;
  for (EncoderFrame* frame : in_slot_order<EncoderFrame>(batch)) {
    if (std::exchange(frame->reset, false)) codec_->streams.encoder->reset(frame->slot);
    frame->codes.resize(static_cast<size_t>(frame->codebooks));
    rows.push_back({frame->slot, frame->pcm, frame->codes});
  }
  codec_->streams.encoder->encode(rows);
}

void Context::decode(std::span<Frame* const> batch) {
  std::vector<mimi::DecodeRow> rows;
  for (DecoderFrame* frame : in_slot_order<DecoderFrame>(batch)) {
    if (std::exchange(frame->reset, false)) codec_->streams.decoder->reset(frame->slot);
    frame->pcm.resize(static_cast<size_t>(codec_info_.frame_size));
    rows.push_back({frame->slot, frame->codes, frame->pcm});
  }
  codec_->streams.decoder->decode(rows);
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
  for (const int64_t slot : {frame.slot, frame.null_slot}) {
    if (slot < 0) continue;
    lm_->stepper->reset(slot);
    if (frame.history > 0) lm_->stepper->skip(slot, frame.history);
  }
  frame.ring.reset();
}

}  // namespace moshi::runtime
