// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What goes over the data channel: JSON with the names of OpenAI's realtime events, as far as they are true
// of a model that hears and speaks at the same time. All it says is one response, which lasts as long as the
// conversation.
#pragma once

#include <cstdint>
#include <string>

namespace serve {

/// Writes events, numbered one after the other.
class Events {
 public:
  /// session.created, for the conversation `id` with `model`.
  std::string session_created(const std::string& id, const std::string& model);
  /// response.created: the model listens and speaks from now on.
  std::string response_created();
  /// A piece of a word, spoken `start_ms` after the first frame.
  std::string transcript_delta(const std::string& piece, int64_t start_ms);
  /// What a client asked for and cannot have.
  std::string refused(const std::string& line);
  /// Why the server ends the conversation: a name, and a line.
  std::string ended(const std::string& code, const std::string& line);
  /// To an event of the client. A conversation has all its settings when it begins, and takes no turns: none
  /// changes anything.
  std::string reply_to(const std::string& event);

 private:
  std::string error(const std::string& type, const std::string& code, const std::string& line,
                    const std::string& about = "");
  std::string next_id();

  uint64_t count_ = 0;
};

}  // namespace serve
