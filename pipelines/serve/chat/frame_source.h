// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A client's samples as frames of an appsrc, a bounded number of which wait.
#pragma once

#include <gst/app/gstappsrc.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace serve {

class FrameSource {
 public:
  /// Feeds `source` with f32 mono at `rate`, `frame_size` samples a frame; at most `most_waiting` frames
  /// wait.
  FrameSource(GstAppSrc* source, int rate, int frame_size, size_t most_waiting);

  /// The next samples. The first frame is lost: the model would not hear it, as in the reference's server
  /// (moshi/server.py, skip_frames).
  void add(const std::vector<float>& pcm);
  /// Frames that the model was given.
  [[nodiscard]] uint64_t pushed() const;
  /// Frames that were lost because too many waited, the oldest first.
  [[nodiscard]] uint64_t dropped() const;

 private:
  static void need_data(GstAppSrc* source, guint bytes, gpointer self);
  void push_next();

  GstAppSrc* source_;
  int rate_;
  size_t frame_size_;
  size_t most_waiting_;
  std::vector<float> part_;  ///< Of a frame.
  bool first_ = true;
  mutable std::mutex mutex_;
  std::deque<std::vector<float>> frames_;
  bool wanted_ = false;
  uint64_t pushed_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace serve
