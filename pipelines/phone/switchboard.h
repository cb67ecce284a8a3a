// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gio/gio.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

#include "../pipeline.h"
#include "call_log.h"

/// The calls under way: at most so many at a time, each on a thread of its own.
class Switchboard {
 public:
  Switchboard(int most, CallLog& log);
  /// Hangs up, and waits until all calls have ended.
  ~Switchboard();
  Switchboard(const Switchboard&) = delete;
  Switchboard& operator=(const Switchboard&) = delete;

  /// Runs `hold` with the call's number on a new thread; what it throws is told of, and ends this call alone.
  /// `end` is cancelled when it shall end. False when all places are taken.
  bool take(const std::string& peer, std::function<void(int call, GCancellable* end)> hold);
  /// The line that says so.
  [[nodiscard]] std::string all_taken() const;

 private:
  void leave(int call);

  CallLog& log_;
  int most_;
  int calls_ = 0;  ///< So far.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, ObjectHandle<GCancellable>> active_;  ///< What ends each.
};
