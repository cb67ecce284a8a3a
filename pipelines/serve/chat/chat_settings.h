// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a client asks for in the query of /api/chat, by the names of the Rust backend and of PersonaPlex's
// server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace serve {

struct ChatSettings {
  std::optional<double> text_temperature;
  std::optional<int> text_top_k;
  std::optional<double> audio_temperature;
  std::optional<int> audio_top_k;
  uint64_t seed = 0;         ///< 0: any.
  uint64_t most_frames = 0;  ///< max_steps; 0: no limit.
  bool metadata = false;     ///< The client wants a message about the model and its settings first.
  /// What was asked for and this server cannot do, a line each.
  std::vector<std::string> refused;
};

/// The settings in a query's names and values; names that mean nothing here are passed over. Throws
/// std::invalid_argument with one line where a value is none.
ChatSettings parse_chat_settings(const std::map<std::string, std::string>& query);

}  // namespace serve
