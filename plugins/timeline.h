// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

namespace gstmoshi {

/// Time stamps counted in samples within continuous data, so that they cannot drift.
class Timeline {
 public:
  /// Upstream's time stamps may differ from the count by this much before it starts anew.
  static constexpr GstClockTimeDiff tolerance = 40 * GST_MSECOND;

  /// Forgets everything; `rate` is in samples a second.
  void reset(int rate) {
    rate_ = rate;
    base_ = GST_CLOCK_TIME_NONE;
    samples_ = 0;
  }

  /// Time stamp of the next sample, GST_CLOCK_TIME_NONE before the first restart().
  [[nodiscard]] GstClockTime next() const {
    if (!GST_CLOCK_TIME_IS_VALID(base_)) return base_;
    return base_ + gst_util_uint64_scale(samples_, GST_SECOND, static_cast<guint64>(rate_));
  }

  /// How far upstream's time stamp `pts` is ahead of the count; 0 within the tolerance, before the
  /// first sample and where upstream gives no time.
  [[nodiscard]] GstClockTimeDiff jump(GstClockTime pts) const {
    if (!GST_CLOCK_TIME_IS_VALID(pts) || !GST_CLOCK_TIME_IS_VALID(base_)) return 0;
    const GstClockTimeDiff difference = GST_CLOCK_DIFF(next(), pts);
    return ABS(difference) > tolerance ? difference : 0;
  }

  void restart(GstClockTime pts) {
    base_ = pts;
    samples_ = 0;
  }

  void advance(guint64 samples) { samples_ += samples; }

 private:
  int rate_ = 1;
  GstClockTime base_ = GST_CLOCK_TIME_NONE;
  guint64 samples_ = 0;
};

}  // namespace gstmoshi
