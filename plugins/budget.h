// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

#include <atomic>

namespace gstmoshi {

/// The time an element declares as its latency: a fixed one, or what its frames have been found to take.
/// Thread-safe.
class Budget {
 public:
  /// Value of the property for: as measured.
  static constexpr int automatic = -1;

  /// `assumed_ms` holds until something is measured.
  explicit Budget(unsigned assumed_ms) : measured_ms_(assumed_ms) {}

  /// The property: milliseconds, or `automatic`.
  void set(int milliseconds) { property_ = milliseconds; }
  [[nodiscard]] int property() const { return property_; }

  /// Frames have been found to take `p99` milliseconds. True where the declared time changes by that: up
  /// where they take longer than was declared, down where they take much less.
  bool measure(double p99);

  /// Frames may wait so long before their time begins to count.
  void set_waiting(unsigned milliseconds) { waiting_ms_ = milliseconds; }

  [[nodiscard]] unsigned milliseconds() const;
  [[nodiscard]] GstClockTime time() const { return milliseconds() * GST_MSECOND; }

 private:
  std::atomic<int> property_ = automatic;
  std::atomic<unsigned> measured_ms_;
  std::atomic<unsigned> waiting_ms_ = 0;
  std::atomic<bool> assumed_ = true;
};

}  // namespace gstmoshi
