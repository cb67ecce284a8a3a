// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/observe/log.h"

#include <glib.h>

#include <cmath>
#include <iostream>

#include "report.h"
#include "serve/clock.h"

namespace serve {
namespace {

using nlohmann::ordered_json;

/// In one piece: several threads may write.
void write(const char* event, const ordered_json& fields) {
  const std::string line = line_of(event, fields) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

/// What GLib, libsoup and others say.
GLogWriterOutput write_as_json(GLogLevelFlags level, const GLogField* fields, gsize count, gpointer) {
  const bool wanted = (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) != 0;
  if (!wanted) return G_LOG_WRITER_HANDLED;
  ordered_json line;
  for (gsize i = 0; i < count; ++i) {
    if (fields[i].length >= 0) continue;  // No text.
    const std::string key = fields[i].key;
    const auto* value = static_cast<const char*>(fields[i].value);
    if (key == "GLIB_DOMAIN") line["library"] = value;
    if (key == "MESSAGE") line["message"] = value;
  }
  write("warning", line);
  return G_LOG_WRITER_HANDLED;
}

ordered_json fields_of(const Session& session) {
  ordered_json fields = {
      {"session", session.id()}, {"transport", session.transport()}, {"remote", session.caller().remote}};
  if (!session.caller().trace_id.empty()) fields["trace_id"] = session.caller().trace_id;
  return fields;
}

/// Ends that somebody should hear of.
bool is_trouble(Ending ending) {
  return ending != Ending::Client && ending != Ending::Steps && ending != Ending::Stopping;
}

}  // namespace

std::string line_of(const char* event, const ordered_json& fields) {
  ordered_json line = {{"time", time_now("%Y-%m-%dT%H:%M:%S.%fZ")}, {"event", event}};
  line.update(fields);
  // What clients send may be no UTF-8.
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Log::Log(bool json) : json_(json) {
  if (json_) g_log_set_writer_func(write_as_json, nullptr, nullptr);
}

void Log::listening(const std::string& address) const {
  if (json_) {
    write("listening", {{"address", address}});
  } else {
    std::cerr << "listening on " << address << std::endl;
  }
}

void Log::began(const Session& session) const {
  if (json_) write("session_begin", fields_of(session));
}

void Log::ended(const Session& session, double seconds) const {
  if (!json_) {
    if (!is_trouble(session.ending())) return;
    print_message("a conversation ended: " + std::string(name_of(session.ending())) +
                  (session.detail().empty() ? "" : ": " + session.detail()));
    return;
  }
  const Counts counts = session.counts();
  ordered_json fields = fields_of(session);
  fields["reason"] = name_of(session.ending());
  if (!session.detail().empty()) fields["detail"] = session.detail();
  fields["seconds"] = std::round(seconds * 1000) / 1000;
  fields["frames_in"] = counts.frames_in;
  fields["frames_out"] = counts.frames_out;
  fields["frames_dropped"] = counts.frames_dropped;
  write("session_end", fields);
}

void Log::refused(const Caller& caller, const Refusal& refusal) const {
  if (!json_) return;
  ordered_json fields = {
      {"reason", name_of(refusal.reason)}, {"status", refusal.status}, {"remote", caller.remote}};
  if (!caller.trace_id.empty()) fields["trace_id"] = caller.trace_id;
  write("refused", fields);
}

void Log::trouble(const std::string& line) const {
  if (json_) {
    write("warning", {{"message", line}});
  } else {
    print_message(line);
  }
}

void Log::draining(size_t conversations, int seconds) const {
  if (json_) {
    write("draining", {{"conversations", conversations}, {"seconds", seconds}});
  } else if (conversations > 0) {
    print_message("ending: " + std::to_string(conversations) + " conversations have " +
                  std::to_string(seconds) + " s left; interrupt again to end them now");
  }
}

}  // namespace serve
