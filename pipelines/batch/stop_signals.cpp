// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/stop_signals.h"

#include <atomic>

namespace batch {
namespace {

std::atomic<int> signals = 0;  // NOLINT: a signal handler can reach nothing else

}  // namespace

StopSignals::StopSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { ++signals; };
  signals = 0;
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
}

int StopSignals::count() { return signals; }

}  // namespace batch
