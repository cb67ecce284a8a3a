// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/load_once.h"

#include "runtime/cancellation.h"

namespace moshi::runtime {

void LoadOnce::run(const std::function<void()>& load, const Cancellation* cancel) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, token_of(cancel), [&] { return state_ != State::Loading; })) {
    throw_cancelled();
  }
  if (state_ == State::Loaded) {
    return;
  }
  state_ = State::Loading;
  lock.unlock();
  try {
    load();
  } catch (...) {
    lock.lock();
    state_ = State::Empty;
    changed_.notify_all();
    throw;
  }
  lock.lock();
  state_ = State::Loaded;
  changed_.notify_all();
}

bool LoadOnce::done() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::Loaded;
}

}  // namespace moshi::runtime
