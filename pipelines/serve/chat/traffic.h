// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a client sends, counted where it comes in: a message that never ends counts, too.
#pragma once

#include <gio/gio.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "serve/http/rate.h"

namespace serve {

/// Looks on from a thread of its own: what comes without end may leave the main thread no time.
class Traffic {
 public:
  /// Counts what `socket` receives from now on. It is shut when more comes than speech needs: 64 KiB a
  /// second (the most Opus makes), and 512 KiB at once.
  explicit Traffic(GSocket* socket);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  /// Whether that has happened.
  [[nodiscard]] bool too_much() const { return too_much_; }

 private:
  void look_on();
  /// Bytes received since the connection began.
  [[nodiscard]] uint64_t received() const;

  GSocket* socket_;
  uint64_t counted_ = 0;
  TokenBucket allowed_;
  std::atomic<bool> too_much_ = false;
  std::mutex mutex_;
  std::condition_variable over_;
  bool ends_ = false;
  std::thread thread_;  // Last: it uses the others.
};

}  // namespace serve
