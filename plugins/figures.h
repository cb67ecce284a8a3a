// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

#include <functional>
#include <mutex>

namespace gstmoshi {

/// What the `stats` property reports. Thread-safe; counts from reset() on.
class Figures {
 public:
  struct Counters {
    uint64_t frames_in = 0;
    uint64_t frames_out = 0;
    uint64_t frames_dropped = 0;
    uint64_t frames_concealed = 0;
    uint64_t frames_late = 0;
    uint64_t frames_too_late = 0;
    uint64_t restarts = 0;
    uint64_t resyncs = 0;
    uint64_t backlog = 0;
  };
  using SessionStats = std::function<moshi::SessionStats()>;

  void reset();
  /// Changes counters under the lock.
  template <typename Change>
  void change(Change&& apply) {
    const std::lock_guard lock(mutex_);
    apply(counters_);
  }
  [[nodiscard]] Counters counters() const;
  /// Where the step times come from while a session is open.
  void attach(SessionStats session);
  /// Keeps the last step times and lets go of the session.
  void detach();
  /// Step times now, or the last ones.
  [[nodiscard]] moshi::SessionStats steps() const;
  void set_context(const moshi::ContextStats& context);
  /// The property's structure (transfer full).
  [[nodiscard]] GstStructure* structure(const char* name, unsigned latency_ms) const;

 private:
  mutable std::mutex mutex_;
  Counters counters_;
  SessionStats session_;
  moshi::SessionStats last_;
  std::string device_;
  std::string precision_;
  bool graphs_ = false;
};

}  // namespace gstmoshi
