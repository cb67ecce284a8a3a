// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sessions: opening them takes slots, closing gives them back.
#include <algorithm>
#include <random>
#include <utility>

#include "runtime/context.h"
#include "runtime/device.h"

namespace moshi::runtime {
namespace {

void check_size(const char* what, size_t expected, size_t found) {
  if (expected != found) {
    throw Error(ErrorCode::Settings, std::string(what) + ": expected " + std::to_string(expected) +
                                         " values a frame, found " + std::to_string(found));
  }
}

void check_codes(std::span<const uint16_t> codes, int largest) {
  for (const uint16_t code : codes) {
    if (code > largest) {
      throw Error(ErrorCode::OutOfRange, "expected codes from 0 to " + std::to_string(largest) + ", found " +
                                             std::to_string(code) + ": use codes of this model's codec");
    }
  }
}

/// What the three kinds of session share: a frame in the engine and the context that owns it.
template <typename FrameType>
class SessionBase {
 public:
  SessionBase(std::shared_ptr<Context> context, std::shared_ptr<FrameType> frame)
      : context_(std::move(context)), frame_(std::move(frame)) {
    context_->engine().add(frame_);
  }
  ~SessionBase() {
    context_->engine().remove(frame_);
    context_->close(frame_);
  }
  SessionBase(const SessionBase&) = delete;
  SessionBase& operator=(const SessionBase&) = delete;

 protected:
  std::shared_ptr<Context> context_;
  std::shared_ptr<FrameType> frame_;
};

class Encoder final : public EncoderSession, SessionBase<EncoderFrame> {
 public:
  using SessionBase::SessionBase;
  void submit(std::span<const float> pcm) override {
    check_size("pcm", static_cast<size_t>(context_->codec().frame_size), pcm.size());
    context_->engine().prepare(*frame_);
    frame_->pcm.assign(pcm.begin(), pcm.end());
    context_->engine().submit(*frame_);
  }
  void await(std::span<uint16_t> codes, const Cancellation* cancel) override {
    check_size("codes", static_cast<size_t>(frame_->codebooks), codes.size());
    context_->engine().await(*frame_, cancel);
    std::transform(frame_->codes.begin(), frame_->codes.end(), codes.begin(),
                   [](int64_t code) { return static_cast<uint16_t>(code); });
  }
  void reset() override {
    context_->engine().prepare(*frame_);
    frame_->reset = true;
  }
  [[nodiscard]] SessionStats stats() const override { return context_->engine().stats(*frame_); }
};

class Decoder final : public DecoderSession, SessionBase<DecoderFrame> {
 public:
  using SessionBase::SessionBase;
  void submit(std::span<const uint16_t> codes) override {
    check_size("codes", static_cast<size_t>(frame_->codebooks), codes.size());
    check_codes(codes, context_->codec().cardinality - 1);
    context_->engine().prepare(*frame_);
    frame_->codes.assign(codes.begin(), codes.end());
    context_->engine().submit(*frame_);
  }
  void await(std::span<float> pcm, const Cancellation* cancel) override {
    check_size("pcm", static_cast<size_t>(context_->codec().frame_size), pcm.size());
    context_->engine().await(*frame_, cancel);
    std::copy(frame_->pcm.begin(), frame_->pcm.end(), pcm.begin());
  }
  void reset() override {
    context_->engine().prepare(*frame_);
    frame_->reset = true;
  }
  [[nodiscard]] SessionStats stats() const override { return context_->engine().stats(*frame_); }
};

class Lm final : public LmSession, SessionBase<LmFrameState> {
 public:
  using SessionBase::SessionBase;
  void submit(std::span<const uint16_t> codes) override {
    check_size("codes", static_cast<size_t>(context_->lm().user_codebooks), codes.size());
    check_codes(codes, context_->lm().card);
    context_->engine().prepare(*frame_);
    frame_->user_codes.assign(codes.begin(), codes.end());
    context_->engine().submit(*frame_);
  }
  void await(LmFrame& result, const Cancellation* cancel) override {
    context_->engine().await(*frame_, cancel);
    result = frame_->result;
  }
  void reset() override {
    context_->engine().prepare(*frame_);
    frame_->reset = true;
  }
  [[nodiscard]] uint64_t seed() const override { return frame_->sampling.seed; }
  [[nodiscard]] SessionStats stats() const override { return context_->engine().stats(*frame_); }
};

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32 | device()) | 1;
}

}  // namespace

int Context::checked_codebooks(int codebooks) const {
  if (codebooks == 0) {
    return codec_info_.codebooks;
  }
  if (codebooks < 1 || codebooks > codec_info_.codebooks_max) {
    throw Error(ErrorCode::Settings, "codebooks: expected 1 to " + std::to_string(codec_info_.codebooks_max) +
                                         " (or 0 for the model's own), found " + std::to_string(codebooks));
  }
  return codebooks;
}

std::unique_ptr<EncoderSession> Context::open_encoder(int codebooks) {
  CodecPart& part = codec_part();
  const auto frame = std::make_shared<EncoderFrame>();
  frame->codebooks = checked_codebooks(codebooks);
  frame->reset = true;
  engine_.call([&] {
    with_errors("opening an encoder session", [&] {
      part.encoder_capacity = grown_capacity(part.encoder_capacity, part.encoder_slots.count() + 1);
      part.streams.encoder->grow(part.encoder_capacity, frame->codebooks);
      frame->slot = part.encoder_slots.take();
    });
  });
  return std::make_unique<Encoder>(shared_from_this(), frame);
}

std::unique_ptr<DecoderSession> Context::open_decoder(int codebooks) {
  CodecPart& part = codec_part();
  const auto frame = std::make_shared<DecoderFrame>();
  frame->codebooks = checked_codebooks(codebooks);
  frame->reset = true;
  engine_.call([&] {
    with_errors("opening a decoder session", [&] {
      part.decoder_capacity = grown_capacity(part.decoder_capacity, part.decoder_slots.count() + 1);
      part.streams.decoder->grow(part.decoder_capacity);
      frame->slot = part.decoder_slots.take();
    });
  });
  return std::make_unique<Decoder>(shared_from_this(), frame);
}

std::unique_ptr<LmSession> Context::open_lm(const LmSessionOptions& options) {
  LmPart& part = lm_part();
  const checkpoint::LmConfig& config = part.model.config();
  if (config.temporal.context == 0) {
    throw Error(ErrorCode::Settings, "expected a model with a context to stream, found none in config.json");
  }
  const bool guided = options.sampling.cfg_coef != 1.0F;
  if (guided && part.model.conditions().empty()) {
    throw Error(ErrorCode::Settings, "cfg-coef: expected 1 for a model without conditions, found " +
                                         std::to_string(options.sampling.cfg_coef));
  }
  const auto frame = std::make_shared<LmFrameState>(
      options.live, lm::TokenRing(config.delays, part.model.generated(), config.text_card, config.card));
  frame->sampling = options.sampling;
  frame->history = options.history;
  frame->reset = true;
  if (frame->sampling.seed == 0) {
    frame->sampling.seed = random_seed();
  }
  engine_.call([&] { with_errors("opening a session", [&] { take_slots(*frame, options.conditions); }); });
  return std::make_unique<Lm>(shared_from_this(), frame);
}

void Context::take_slots(LmFrameState& frame, const Conditions& conditions) {
  LmPart& part = *lm_;
  const lm::ConditionSum& sum = part.model.conditions();
  // Hibiki's driver asks for the best voice and guides away from the worst (run_inference.py).
  const bool hibiki = lm_info_.model_type == "hibiki" && !sum.empty();
  const Conditions best = {{"description", "very_good"}};
  const Conditions worst = {{"description", "very_bad"}};
  const at::Tensor condition = sum(hibiki && conditions.empty() ? best : conditions);
  if (part.max_sessions > 0 && part.sessions >= part.max_sessions) {
    throw Error(ErrorCode::Busy, "expected a free slot, found all " + std::to_string(part.max_sessions) +
                                     " of max-sessions in use: try later, or raise max-sessions");
  }
  const bool guided = frame.sampling.cfg_coef != 1.0F;
  part.capacity = grown_capacity(part.capacity, part.slots.count() + (guided ? 2 : 1));
  part.stepper->grow(part.capacity);
  frame.slot = part.slots.take();
  part.stepper->set_condition(frame.slot, condition);
  if (guided) {
    frame.null_slot = part.slots.take();
    part.stepper->set_condition(frame.null_slot, sum(hibiki ? worst : Conditions{}));
  }
  ++part.sessions;
}

void Context::close(const std::shared_ptr<EncoderFrame>& frame) {
  engine_.post([this, frame] { codec_->encoder_slots.give_back(frame->slot); });
}

void Context::close(const std::shared_ptr<DecoderFrame>& frame) {
  engine_.post([this, frame] { codec_->decoder_slots.give_back(frame->slot); });
}

void Context::close(const std::shared_ptr<LmFrameState>& frame) {
  engine_.post([this, frame] {
    for (const int64_t slot : {frame->slot, frame->null_slot}) {
      if (slot < 0) continue;
      lm_->stepper->reset(slot);  // What it remembers can serve others.
      lm_->slots.give_back(slot);
    }
    --lm_->sessions;
  });
}

}  // namespace moshi::runtime
