// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "moshi/moshi.h"

namespace moshi::runtime {

/// Something that is loaded once, by whoever comes first; the others wait.
class LoadOnce {
 public:
  /// Runs `load` unless it has succeeded before; waits while another thread is at it, and takes over
  /// if that one fails. Throws what `load` throws, or Cancelled.
  void run(const std::function<void()>& load, const Cancellation* cancel);
  [[nodiscard]] bool done() const;

 private:
  enum class State { Empty, Loading, Loaded };
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  State state_ = State::Empty;
};

}  // namespace moshi::runtime
