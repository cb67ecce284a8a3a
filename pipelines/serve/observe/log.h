// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the server says on stderr: sentences for people, or a line of JSON an event for machines. Neither has
// sound, words or keys in it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "serve/http/refusal.h"
#include "serve/session.h"

namespace serve {

class Log {
 public:
  /// `json`: also what GLib and its libraries say becomes lines of JSON.
  explicit Log(bool json);

  void listening(const std::string& address) const;
  void began(const Session& session) const;
  void ended(const Session& session, double seconds) const;
  void refused(const Caller& caller, const Refusal& refusal) const;
  /// Something failed, and the server goes on.
  void trouble(const std::string& line) const;
  /// The server stops once `conversations` have ended.
  void draining(size_t conversations, int seconds) const;

 private:
  bool json_;
};

/// An event as a line of JSON, with the time (ISO 8601) before its fields.
std::string line_of(const char* event, const nlohmann::ordered_json& fields);

}  // namespace serve
