// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace gstmoshi {

/// Loads a model on a thread of its own, with PROGRESS messages on the element's bus: start, continue,
/// then complete, canceled or error (with the element's error message).
class Loader {
 public:
  using Work = std::function<void(const moshi::ProgressHandler&, const moshi::Cancellation&)>;

  explicit Loader(GstElement* element) : element_(element) {}
  ~Loader() { cancel(); }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Starts `work`; `text` says in the messages what is being loaded.
  void start(const std::string& text, Work work);
  /// Ends the work early and waits for its thread.
  void cancel();
  /// Waits for the work: OK when loaded, ERROR when it failed (already reported), FLUSHING while
  /// interrupted.
  GstFlowReturn wait();
  /// Wakes wait() of other threads, now and until called with false.
  void interrupt(bool on);

 private:
  enum class State { Idle, Loading, Loaded, Failed };

  void run(const std::string& text, const Work& work);
  void finish(State state);
  void post(GstProgressType type, const std::string& text);

  GstElement* element_;
  std::thread thread_;
  moshi::Cancellation cancellation_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::Idle;
  bool interrupted_ = false;
};

}  // namespace gstmoshi
