// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "conversation.h"

namespace gstmoshi {
namespace {

// Id of "end of sentence" in the text tokenizers of the published models.
constexpr int32_t text_eos = 2;

}  // namespace

Conversation::Conversation(std::shared_ptr<moshi::LmSession> session, const moshi::LmInfo& info,
                           bool repeat_first)
    : session_(std::move(session)), info_(info), repeat_first_(repeat_first) {}

moshi::LmFrame Conversation::run(const std::vector<uint16_t>& codes, const moshi::Cancellation* cancel) {
  moshi::LmFrame frame;
  session_->submit(codes);
  session_->await(frame, cancel);
  if (!full()) ++steps_;
  return frame;
}

std::optional<Column> Conversation::step(const std::vector<uint16_t>& codes,
                                         const moshi::Cancellation* cancel) {
  if (fresh_) {
    session_->reset();
    steps_ = 0;
    input_ended_ = false;
    if (repeat_first_) run(codes, cancel);
  }
  fresh_ = true;  // Until this frame is through: a broken off wait needs a reset.
  const moshi::LmFrame frame = run(codes, cancel);
  fresh_ = false;
  if (!frame.ready) return std::nullopt;
  Column column;
  column.text = frame.text;
  if (info_.dep_q > 0) column.codes.assign(frame.audio.begin(), frame.audio.begin() + info_.output_codebooks);
  column.last = input_ended_ && frame.text == text_eos;
  return column;
}

std::optional<Column> Conversation::end_input(const moshi::Cancellation* cancel) {
  if (!has_end_mark() || fresh_) return std::nullopt;
  input_ended_ = true;
  const auto codebooks = static_cast<size_t>(info_.user_codebooks);
  return step(std::vector<uint16_t>(codebooks, static_cast<uint16_t>(info_.card)), cancel);
}

std::vector<uint16_t> silence_codes(moshi::ExecutionContext& context, int codebooks,
                                    const moshi::Cancellation* cancel) {
  context.load_codec({}, cancel);
  const auto encoder = context.open_encoder(codebooks);
  const moshi::CodecInfo& codec = context.codec();
  const std::vector<float> zeros(static_cast<size_t>(codec.frame_size), 0.0F);
  std::vector<uint16_t> codes(static_cast<size_t>(codebooks));
  std::vector<uint16_t> last;
  for (int64_t time = 0; time < 1'000'000'000 && codes != last; time += codec.frame_ns) {
    last = codes;
    encoder->submit(zeros);
    encoder->await(codes, cancel);
  }
  return codes;
}

}  // namespace gstmoshi
