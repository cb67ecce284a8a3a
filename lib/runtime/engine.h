// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The one thread that computes for a context: it gathers the frames sessions submit, runs them as
// batches and hands each session its own result. Knows nothing of models.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "moshi/moshi.h"
#include "runtime/counters.h"

namespace moshi::runtime {

/// The three kinds of work; only frames of one kind share a batch.
enum class Stage { Encode, Step, Decode };

/// A session's place in the engine: what it submits and gets back is in the derived type. Only the
/// engine's thread touches the derived part between submit() and the end of await().
class Frame {
 public:
  Frame(Stage stage, bool live) : stage_(stage), live_(live) {}
  virtual ~Frame() = default;
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  [[nodiscard]] Stage stage() const { return stage_; }

 private:
  friend class Engine;
  enum class Phase { Idle, Submitted, Running, Done };
  using Clock = std::chrono::steady_clock;

  Stage stage_;
  bool live_;
  Phase phase_ = Phase::Idle;
  Clock::time_point submitted_;
  std::exception_ptr error_;
  Counters counters_;
};

class Engine {
 public:
  /// Runs a batch of frames of one stage on the engine's thread.
  using Runner = std::function<void(Stage, std::span<Frame* const>)>;

  /// `threads`: computing threads on the CPU. `active_time`: a live frame's session counts as active
  /// that long after its last frame; `batch_window`: how long a frame waits at most for the other
  /// active live sessions.
  Engine(Runner runner, int threads, std::chrono::nanoseconds active_time,
         std::chrono::nanoseconds batch_window);
  /// Stops after the batch under way; waiting sessions get Cancelled.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Runs `job` on the engine's thread between batches and waits for it; rethrows what it throws.
  void call(const std::function<void()>& job);
  /// Runs `job` there later.
  void post(std::function<void()> job);

  /// Registers a session's frame; unregisters it (a frame that runs is finished first by itself).
  void add(const std::shared_ptr<Frame>& frame);
  void remove(const std::shared_ptr<Frame>& frame);
  /// Waits until the frame is free to be filled: at once, unless its last wait was cancelled.
  void prepare(Frame& frame);
  void submit(Frame& frame);
  /// Waits for the result; throws what the batch threw, or Cancelled.
  void await(Frame& frame, const Cancellation* cancel);
  /// See ExecutionContext::hold.
  [[nodiscard]] std::shared_ptr<void> hold();
  [[nodiscard]] SessionStats stats(const Frame& frame) const;

 private:
  void loop();
  [[nodiscard]] std::vector<std::shared_ptr<Frame>> next_batch(Frame::Clock::time_point now,
                                                               Frame::Clock::time_point& wake) const;
  void run_batch(std::unique_lock<std::mutex>& lock, const std::vector<std::shared_ptr<Frame>>& batch);

  Runner runner_;
  std::chrono::nanoseconds active_time_;
  std::chrono::nanoseconds batch_window_;
  mutable std::mutex mutex_;
  std::condition_variable_any work_;
  std::condition_variable_any done_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::shared_ptr<Frame>> frames_;
  int holds_ = 0;
  bool stopped_ = false;
  std::jthread thread_;
};

}  // namespace moshi::runtime
