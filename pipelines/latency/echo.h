// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A model that says what it hears, when its answer to it would be heard.
#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "pipeline.h"

namespace latency {

/// Puts the user's codes in the place of the model's: moshilm works as ever, each frame it gives out keeps
/// its time, but sounds like the frame it was given for that time.
class Echo {
 public:
  explicit Echo(int64_t frame_ns) : half_frame_(static_cast<GstClockTime>(frame_ns) / 2) {}
  /// Stands around moshilm; must outlive its pipeline.
  void attach(GstElement* moshilm);

 private:
  struct Frame {
    GstClockTime pts;
    std::vector<guint8> codes;
  };
  /// Probes of the sink pad and the source pad.
  static GstPadProbeReturn remember(GstPad* pad, GstPadProbeInfo* info, gpointer echo);
  static GstPadProbeReturn replace(GstPad* pad, GstPadProbeInfo* info, gpointer echo);
  /// Keeps the codes of a frame that moshilm is given.
  void push(GstBuffer* buffer);
  /// The codes heard at `pts`; empty where none were.
  std::vector<guint8> pull(GstClockTime pts);

  GstClockTime half_frame_;
  std::mutex mutex_;
  std::deque<Frame> frames_;
};

}  // namespace latency
