// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A sound whose place in a recording can be found, even after codecs that keep nothing but speech.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace latency {

/// A gliding voice of 120 ms: codecs for speech do not pass on pure tones.
std::vector<float> make_chirp(int rate);

/// Finds chirps by what sounds in 20 bands of 150 Hz, from 300 Hz up, every 2 ms: a matched filter on the
/// spectrogram, since no codec keeps the waveform.
class ChirpFinder {
 public:
  explicit ChirpFinder(int rate);

  /// `said`: samples of the recording's time line where chirps were said, ascending. They are heard with
  /// about the same delay, of up to `most` samples. Where each one begins in `heard`; nothing where it is not
  /// heard.
  [[nodiscard]] std::vector<std::optional<size_t>> find(std::span<const float> heard,
                                                        std::span<const size_t> said, size_t most) const;

 private:
  int rate_;
  std::vector<float> pattern_;  ///< Of the chirp, in moments by bands; mean 0, length 1.
};

}  // namespace latency
