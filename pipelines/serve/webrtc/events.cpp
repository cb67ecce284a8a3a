// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/events.h"

#include <nlohmann/json.hpp>

namespace serve {
namespace {

using nlohmann::ordered_json;

/// The one response, and what it is made of.
constexpr const char* kResponse = "resp_1";
constexpr const char* kItem = "item_1";

/// As text, whatever bytes are in its strings.
std::string dump(const ordered_json& event) {
  return event.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// A string of an object, empty where there is none.
std::string member(const ordered_json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::string Events::next_id() { return "event_" + std::to_string(++count_); }

std::string Events::session_created(const std::string& id, const std::string& model) {
  return dump({{"type", "session.created"},
               {"event_id", next_id()},
               {"session",
                {{"type", "realtime"},
                 {"object", "realtime.session"},
                 {"id", id},
                 {"model", model},
                 {"output_modalities", {"audio"}},
                 {"audio", {{"input", {{"turn_detection", nullptr}}}}}}}});
}

std::string Events::response_created() {
  return dump(
      {{"type", "response.created"},
       {"event_id", next_id()},
       {"response", {{"id", kResponse}, {"object", "realtime.response"}, {"status", "in_progress"}}}});
}

std::string Events::transcript_delta(const std::string& piece, int64_t start_ms) {
  return dump({{"type", "response.output_audio_transcript.delta"},
               {"event_id", next_id()},
               {"response_id", kResponse},
               {"item_id", kItem},
               {"output_index", 0},
               {"content_index", 0},
               {"delta", piece},
               {"start_ms", start_ms}});
}

std::string Events::refused(const std::string& line) {
  return error("invalid_request_error", "refused", line);
}

std::string Events::ended(const std::string& code, const std::string& line) {
  return error("server_error", code, line);
}

std::string Events::reply_to(const std::string& event) {
  const ordered_json parsed = ordered_json::parse(event, nullptr, /*allow_exceptions=*/false);
  const std::string type = member(parsed, "type");
  if (type.empty()) {
    return error("invalid_request_error", "invalid_event",
                 "expected an event, JSON with a type, found other text");
  }
  return error(
      "invalid_request_error", "unsupported_event",
      type.substr(0, 60) + ": this model takes no turns and has its settings from the start; speak to it",
      member(parsed, "event_id").substr(0, 60));
}

std::string Events::error(const std::string& type, const std::string& code, const std::string& line,
                          const std::string& about) {
  ordered_json details = {{"type", type}, {"code", code}, {"message", line}};
  if (!about.empty()) details["event_id"] = about;
  return dump({{"type", "error"}, {"event_id", next_id()}, {"error", details}});
}

}  // namespace serve
