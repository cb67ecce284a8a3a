// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "batch/manifest.h"

namespace batch {

/// Threads that work through recordings, each one at a time: as many are in the model's batch as there are
/// threads, and the next one takes the place of one that ends.
class Crew {
 public:
  /// `work` must not throw.
  Crew(std::vector<Recording> recordings, std::function<void(const Recording&)> work);
  /// Waits for the recordings under way.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Has at least `size` threads from now on, none without a recording.
  void grow(size_t size);
  /// No recording begins any more.
  void stop();
  /// Waits `seconds`; true when all have ended.
  bool wait(double seconds);
  [[nodiscard]] size_t size() const;
  /// Recordings that no thread has taken.
  [[nodiscard]] size_t left() const;

 private:
  void work_on();

  std::function<void(const Recording&)> work_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::deque<Recording> recordings_;
  std::vector<std::thread> threads_;
  size_t working_ = 0;
};

/// Finds how many sessions are best: twice as many, as long as that makes the work faster.
class Growth {
 public:
  explicit Growth(size_t most) : most_(most) {}
  /// How many there should be now, `frames` having been done in `seconds` since the beginning.
  size_t next(double seconds, uint64_t frames);
  [[nodiscard]] size_t size() const { return size_; }

 private:
  size_t most_;
  size_t size_ = 1;
  bool growing_ = true;
  double since_ = 0;
  uint64_t before_ = 0;
  double speed_ = 0;
};

}  // namespace batch
