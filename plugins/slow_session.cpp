// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "slow_session.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace gstmoshi {

void SlowSession::await(moshi::LmFrame& frame, const moshi::Cancellation* cancel) {
  using namespace std::chrono_literals;
  session_->await(frame, cancel);
  // In short pieces, since a cancellation cannot wake it.
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(delay_);
  for (auto now = end - std::chrono::milliseconds(delay_); now < end;
       now = std::chrono::steady_clock::now()) {
    if (cancel != nullptr && cancel->cancelled()) {
      throw moshi::Error(moshi::ErrorCode::Cancelled, "cancelled");
    }
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(5ms, end - now));
  }
}

moshi::SessionStats SlowSession::stats() const {
  moshi::SessionStats stats = session_->stats();
  if (stats.frames == 0) return stats;
  stats.step_ms_p50 += delay_;
  stats.step_ms_p99 += delay_;
  stats.step_ms_max += delay_;
  return stats;
}

}  // namespace gstmoshi
