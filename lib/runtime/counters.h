// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "moshi/moshi.h"

namespace moshi::runtime {

/// A session's figures: counts since it opened, percentiles over its last 4096 frames.
class Counters {
 public:
  /// One frame done: host submit to host result, and the size of its batch.
  void add(double milliseconds, size_t batch);
  [[nodiscard]] SessionStats stats() const;

 private:
  uint64_t frames_ = 0;
  uint64_t batch_sum_ = 0;
  double max_ = 0;
  std::vector<double> recent_;
};

}  // namespace moshi::runtime
