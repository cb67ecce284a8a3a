// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "switchboard.h"

#include <thread>

Switchboard::Switchboard(int most, CallLog& log) : log_(log), most_(most), hang_up_(g_cancellable_new()) {}

Switchboard::~Switchboard() {
  hang_up();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return active_ == 0; });
}

bool Switchboard::take(const std::string& peer, std::function<void(int call)> hold) {
  const std::lock_guard lock(mutex_);
  if (active_ == most_) return false;
  ++active_;
  std::thread([this, peer, call = ++calls_, hold = std::move(hold)]() mutable {
    try {
      hold(call);
    } catch (const std::exception& error) {
      log_.failed(call, peer, error.what());
    }
    hold = nullptr;  // It may hold on to what ends with the switchboard.
    leave();
  }).detach();
  return true;
}

std::string Switchboard::all_taken() const {
  return "expected at most " + std::to_string(most_) + (most_ == 1 ? " call" : " calls") +
         " at a time, found another; give --calls N for more";
}

void Switchboard::hang_up() { g_cancellable_cancel(hang_up_.get()); }

void Switchboard::leave() {
  const std::lock_guard lock(mutex_);
  --active_;
  changed_.notify_all();
}
