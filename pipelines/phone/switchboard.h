// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gio/gio.h>

#include <condition_variable>
#include <functional>
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
  /// False when all places are taken.
  bool take(const std::string& peer, std::function<void(int call)> hold);
  /// The line that says so.
  [[nodiscard]] std::string all_taken() const;

  /// Ends all calls.
  void hang_up();
  [[nodiscard]] bool hanging_up() const { return g_cancellable_is_cancelled(hang_up_.get()) != 0; }
  /// Cancelled by hang_up().
  [[nodiscard]] GCancellable* cancellable() const { return hang_up_.get(); }

 private:
  void leave();

  CallLog& log_;
  int most_;
  int calls_ = 0;   ///< So far.
  int active_ = 0;  ///< Now.
  std::mutex mutex_;
  std::condition_variable changed_;
  ObjectHandle<GCancellable> hang_up_;
};
