// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace gstmoshi {

/// What is heard in place of frames that are lost or late, joined without a click to the sound on both sides:
/// the last frame again while it fades, then silence.
class Concealment {
 public:
  /// Makes one more frame of the last sound, through the codec.
  using Repeat = std::function<void(std::span<float> frame)>;

  /// A new stream begins. Sizes are in samples: of a frame, and of the time in which sound comes back.
  void reset(size_t frame_size, size_t join_size);
  /// Fills `pcm` in place of what is lost. Without `repeat` there was no sound yet.
  void fill(std::span<float> pcm, const Repeat& repeat);
  /// Silences a frame that came too late; the sound before it fades.
  void silence(std::span<float> pcm);
  /// Joins a frame to what was heard before it.
  void join(std::span<float> pcm);

 private:
  /// Frames in which the last sound fades.
  static constexpr size_t fading_frames = 2;

  [[nodiscard]] size_t fade_size() const { return fading_frames * frame_size_; }
  [[nodiscard]] float gain() const;
  void cross(std::span<float> pcm, bool to_silence);

  size_t frame_size_ = 0;
  size_t join_size_ = 0;
  size_t faded_ = 0;          // Samples of the fade that have been heard; 0: nothing is lost.
  std::vector<float> frame_;  // The repeated frame under way.
  size_t used_ = 0;           // Samples of it that have been heard.
};

}  // namespace gstmoshi
