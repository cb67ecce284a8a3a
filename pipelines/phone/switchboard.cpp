// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "switchboard.h"

#include <thread>

Switchboard::Switchboard(int most, CallLog& log) : log_(log), most_(most) {}

Switchboard::~Switchboard() {
  std::unique_lock lock(mutex_);
  for (const auto& [call, end] : active_) g_cancellable_cancel(end.get());
  changed_.wait(lock, [this] { return active_.empty(); });
}

bool Switchboard::take(const std::string& peer, std::function<void(int call, GCancellable* end)> hold) {
  const std::lock_guard lock(mutex_);
  if (active_.size() == static_cast<size_t>(most_)) return false;
  const int call = ++calls_;
  ObjectHandle<GCancellable> end(g_cancellable_new());
  std::thread thread([this, peer, call, end = end.get(), hold = std::move(hold)]() mutable {
    try {
      hold(call, end);
    } catch (const std::exception& error) {
      log_.failed(call, peer, error.what());
    }
    hold = nullptr;  // It may hold on to what goes with the switchboard.
    leave(call);
  });
  active_.emplace(call, std::move(end));
  thread.detach();
  return true;
}

std::string Switchboard::all_taken() const {
  return "expected at most " + std::to_string(most_) + (most_ == 1 ? " call" : " calls") +
         " at a time, found another; give --calls N for more";
}

void Switchboard::leave(int call) {
  const std::lock_guard lock(mutex_);
  active_.erase(call);
  changed_.notify_all();
}
