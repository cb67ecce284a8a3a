// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Both ends of a measured conversation: in place of the microphone and the loudspeaker.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "pipeline.h"

namespace latency {

/// A live source that says given samples, and then nothing, in pieces of 10 ms as a sound card would: each
/// when its last sample has been said.
class Mouth {
 public:
  /// Launch description of the source that a pipeline must have.
  static constexpr const char* kSource = "appsrc name=mouth";
  Mouth(std::vector<float> samples, int rate) : samples_(std::move(samples)), rate_(rate) {}
  /// Speaks through the source in `pipeline`, which it must outlive.
  void attach(Pipeline& pipeline);
  /// When a sample is said, on the pipeline's clock; once it plays.
  [[nodiscard]] GstClockTime time_of(size_t sample) const;

 private:
  /// Handler of need-data: waits until the next piece has been said, and pushes it.
  static void speak(GstElement* appsrc, guint size, Mouth* mouth);

  std::vector<float> samples_;
  int rate_;
  size_t next_ = 0;
  GstElement* appsrc_ = nullptr;
};

/// A sink that remembers what it hears, and when.
class Ear {
 public:
  explicit Ear(int rate) : rate_(rate) {}
  /// Launch description of the sink that a pipeline must have; it takes speech of any rate.
  [[nodiscard]] std::string sink() const;
  /// Listens at the sink in `pipeline`, which it must outlive.
  void attach(Pipeline& pipeline);
  /// All that was heard, as one recording; once nothing plays.
  [[nodiscard]] const std::vector<float>& samples() const { return samples_; }
  /// When a sample was heard, on the pipeline's clock.
  [[nodiscard]] GstClockTime time_of(size_t sample) const;

 private:
  struct Piece {
    size_t first;  ///< Sample.
    GstClockTime time;
  };
  /// Handler of handoff: notes a piece, and that it is heard now.
  static void hear(GstElement* fakesink, GstBuffer* buffer, GstPad* pad, Ear* ear);

  int rate_;
  std::vector<float> samples_;
  std::vector<Piece> pieces_;
};

}  // namespace latency
