// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "arrival_clock.h"

std::optional<ArrivalClock::Place> ArrivalClock::place(int64_t now_ns, int64_t duration_ns) {
  if (next_ns_ && *next_ns_ > now_ns + tolerance_ns_) return {};
  const bool jump = !next_ns_ || *next_ns_ < now_ns - tolerance_ns_;
  const int64_t start_ns = jump ? now_ns : *next_ns_;
  next_ns_ = start_ns + duration_ns;
  return Place{start_ns, jump};
}
