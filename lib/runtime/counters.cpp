// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/counters.h"

#include <algorithm>
#include <cmath>

namespace moshi::runtime {
namespace {

constexpr size_t kRecent = 4096;

/// The value at `fraction` of the sorted values (nearest rank).
double percentile(std::vector<double>& values, double fraction) {
  const auto rank = static_cast<ptrdiff_t>(std::lround(fraction * static_cast<double>(values.size() - 1)));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<size_t>(rank)];
}

}  // namespace

void Counters::add(double milliseconds, size_t batch) {
  if (recent_.size() < kRecent) {
    recent_.push_back(milliseconds);
  } else {
    recent_[frames_ % kRecent] = milliseconds;
  }
  ++frames_;
  batch_sum_ += batch;
  max_ = std::max(max_, milliseconds);
}

SessionStats Counters::stats() const {
  SessionStats stats;
  if (frames_ == 0) {
    return stats;
  }
  std::vector<double> values = recent_;
  stats.frames = frames_;
  stats.step_ms_p50 = percentile(values, 0.5);
  stats.step_ms_p99 = percentile(values, 0.99);
  stats.step_ms_max = max_;
  stats.batch_mean = static_cast<double>(batch_sum_) / static_cast<double>(frames_);
  return stats;
}

}  // namespace moshi::runtime
