// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace gstmoshi {

/// One frame of the model's output.
struct Column {
  int32_t text = 0;             ///< Text token.
  std::vector<uint16_t> codes;  ///< Codes to decode; empty for models without audio output.
  bool last = false;            ///< The model ended its answer after the end of the input.
};

/// Frame by frame through one session of the language model: which codes are stepped, and what comes out.
class Conversation {
 public:
  /// `repeat_first`: the first frame is stepped twice and the first result discarded, because the model
  /// never hears the codes of its very first step (reference: run_inference.py, InferenceState.run).
  Conversation(std::shared_ptr<moshi::LmSession> session, const moshi::LmInfo& info, bool repeat_first);

  /// Steps one frame of user codes. Nothing comes out of the first max_delay steps.
  std::optional<Column> step(const std::vector<uint16_t>& codes, const moshi::Cancellation* cancel);
  /// Steps the end mark, if the model knows one.
  std::optional<Column> end_input(const moshi::Cancellation* cancel);
  /// Whether the model knows an end mark (Hibiki).
  [[nodiscard]] bool has_end_mark() const { return info_.model_type == "hibiki"; }
  [[nodiscard]] moshi::SessionStats stats() const { return session_->stats(); }
  /// The next frame starts a new conversation.
  void restart() { fresh_ = true; }
  /// Whether it is as long as the model's context.
  [[nodiscard]] bool full() const { return steps_ >= info_.context; }

 private:
  moshi::LmFrame run(const std::vector<uint16_t>& codes, const moshi::Cancellation* cancel);

  std::shared_ptr<moshi::LmSession> session_;
  moshi::LmInfo info_;
  bool repeat_first_;
  bool fresh_ = true;
  int steps_ = 0;  // Up to the context's length.
  bool input_ended_ = false;
};

/// Codes of digital silence: the context's own encoder, fed with zeros until its codes settle, at most for a
/// second. Loads the codec where that has not been done.
std::vector<uint16_t> silence_codes(moshi::ExecutionContext& context, int codebooks,
                                    const moshi::Cancellation* cancel);

}  // namespace gstmoshi
