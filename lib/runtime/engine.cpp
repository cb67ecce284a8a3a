// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/engine.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

#include "runtime/cancellation.h"

namespace moshi::runtime {

Engine::Engine(Runner runner, int threads, std::chrono::nanoseconds active_time,
               std::chrono::nanoseconds batch_window)
    : runner_(std::move(runner)), active_time_(active_time), batch_window_(batch_window) {
  thread_ = std::jthread([this, threads] {
    const c10::InferenceMode inference;
    at::set_num_threads(threads);
    loop();
  });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  work_.notify_all();
  done_.notify_all();
}

void Engine::call(const std::function<void()>& job) {
  std::exception_ptr error;
  bool finished = false;
  std::unique_lock lock(mutex_);
  jobs_.emplace_back([&] {
    try {
      job();
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard inner(mutex_);
    finished = true;
    done_.notify_all();
  });
  work_.notify_all();
  done_.wait(lock, [&] { return finished; });
  if (error) {
    std::rethrow_exception(error);
  }
}

void Engine::post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  work_.notify_all();
}

void Engine::add(const std::shared_ptr<Frame>& frame) {
  const std::lock_guard lock(mutex_);
  frames_.push_back(frame);
}

void Engine::remove(const std::shared_ptr<Frame>& frame) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(frames_, frame);
  }
  // Others may have been waiting for this one.
  work_.notify_all();
}

void Engine::prepare(Frame& frame) {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] {
    return stopped_ || frame.phase_ == Frame::Phase::Idle || frame.phase_ == Frame::Phase::Done;
  });
  frame.phase_ = Frame::Phase::Idle;
}

void Engine::submit(Frame& frame) {
  bool held = false;
  {
    const std::lock_guard lock(mutex_);
    frame.submitted_ = Frame::Clock::now();
    frame.error_ = nullptr;
    frame.phase_ = Frame::Phase::Submitted;
    held = holds_ > 0;
  }
  if (!held) work_.notify_all();  // The end of the hold says so once for all.
}

void Engine::await(Frame& frame, const Cancellation* cancel) {
  std::unique_lock lock(mutex_);
  if (frame.phase_ == Frame::Phase::Idle) {
    throw Error(ErrorCode::Failed, "expected a submitted frame, found none: call submit before await");
  }
  const auto done = [&] { return stopped_ || frame.phase_ == Frame::Phase::Done; };
  if (!done_.wait(lock, token_of(cancel), done) || frame.phase_ != Frame::Phase::Done) {
    throw_cancelled();
  }
  frame.phase_ = Frame::Phase::Idle;
  if (frame.error_) {
    std::rethrow_exception(std::exchange(frame.error_, nullptr));
  }
}

std::shared_ptr<void> Engine::hold() {
  const std::lock_guard lock(mutex_);
  ++holds_;
  return {this, [](Engine* engine) {
            {
              const std::lock_guard inner(engine->mutex_);
              --engine->holds_;
            }
            engine->work_.notify_all();
          }};
}

SessionStats Engine::stats(const Frame& frame) const {
  const std::lock_guard lock(mutex_);
  return frame.counters_.stats();
}

/// The frames to run now, empty where there is nothing; `wake` is when to look again. The stage of
/// the frame that waits longest goes first; live frames go before offline ones and never share a batch
/// with them.
std::vector<std::shared_ptr<Frame>> Engine::next_batch(Frame::Clock::time_point now,
                                                       Frame::Clock::time_point& wake) const {
  const Frame* first = nullptr;
  for (const auto& frame : frames_) {
    if (frame->phase_ != Frame::Phase::Submitted) {
      continue;
    }
    if (frame->live_ && now < frame->submitted_ + batch_window_) {
      const bool others_due = std::any_of(frames_.begin(), frames_.end(), [&](const auto& other) {
        return other->live_ && other->stage_ == frame->stage_ && other->phase_ == Frame::Phase::Idle &&
               now < other->submitted_ + active_time_;
      });
      if (others_due) {
        wake = std::min(wake, frame->submitted_ + batch_window_);
        continue;
      }
    }
    const bool earlier = first == nullptr || (frame->live_ && !first->live_) ||
                         (frame->live_ == first->live_ && frame->submitted_ < first->submitted_);
    first = earlier ? frame.get() : first;
  }
  std::vector<std::shared_ptr<Frame>> batch;
  if (first != nullptr) {
    for (const auto& frame : frames_) {
      if (frame->phase_ == Frame::Phase::Submitted && frame->stage_ == first->stage_ &&
          frame->live_ == first->live_) {
        batch.push_back(frame);
      }
    }
  }
  return batch;
}

void Engine::run_batch(std::unique_lock<std::mutex>& lock, const std::vector<std::shared_ptr<Frame>>& batch) {
  std::vector<Frame*> frames;
  for (const auto& frame : batch) {
    frame->phase_ = Frame::Phase::Running;
    frames.push_back(frame.get());
  }
  lock.unlock();
  std::exception_ptr error;
  try {
    runner_(frames.front()->stage_, frames);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  const auto now = Frame::Clock::now();
  for (Frame* frame : frames) {
    frame->phase_ = Frame::Phase::Done;
    frame->error_ = error;
    frame->counters_.add(std::chrono::duration<double, std::milli>(now - frame->submitted_).count(),
                         frames.size());
  }
  done_.notify_all();
}

void Engine::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (!jobs_.empty()) {
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
      continue;
    }
    if (stopped_) {
      return;
    }
    auto wake = Frame::Clock::time_point::max();
    const auto batch =
        holds_ > 0 ? std::vector<std::shared_ptr<Frame>>{} : next_batch(Frame::Clock::now(), wake);
    if (!batch.empty()) {
      run_batch(lock, batch);
    } else if (wake == Frame::Clock::time_point::max()) {
      work_.wait(lock);
    } else {
      work_.wait_until(lock, wake);
    }
  }
}

}  // namespace moshi::runtime
