// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/crew.h"

#include <algorithm>
#include <chrono>

namespace batch {

Crew::Crew(std::vector<Recording> recordings, std::function<void(const Recording&)> work)
    : work_(std::move(work)), recordings_(recordings.begin(), recordings.end()) {}

Crew::~Crew() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

void Crew::grow(size_t size) {
  const std::lock_guard lock(mutex_);
  size_t waiting = recordings_.size();
  while (threads_.size() < size && waiting > 0) {
    ++working_;
    --waiting;
    threads_.emplace_back([this] { work_on(); });
  }
}

void Crew::stop() {
  const std::lock_guard lock(mutex_);
  recordings_.clear();
}

bool Crew::wait(double seconds) {
  std::unique_lock lock(mutex_);
  return ended_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return working_ == 0; });
}

void Crew::work_on() {
  std::unique_lock lock(mutex_);
  while (!recordings_.empty()) {
    const Recording recording = std::move(recordings_.front());
    recordings_.pop_front();
    lock.unlock();
    work_(recording);
    lock.lock();
  }
  --working_;
  ended_.notify_all();
}

size_t Growth::next(double seconds, uint64_t frames) {
  constexpr double kLook = 2;        // seconds
  constexpr double kWorthIt = 1.05;  // times the speed before
  if (!growing_ || seconds - since_ < kLook) return size_;
  const double speed = static_cast<double>(frames - before_) / (seconds - since_);
  growing_ = speed > speed_ * kWorthIt && size_ < most_;
  if (growing_) size_ = std::min(most_, size_ * 2);
  speed_ = speed;
  since_ = seconds;
  before_ = frames;
  return size_;
}

}  // namespace batch
