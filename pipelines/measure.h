// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Measuring frames: several callers' sessions driven in lock step.
#pragma once

#include <moshi/moshi.h>

#include <memory>
#include <vector>

/// Milliseconds of many frames.
struct Durations {
  std::vector<double> ms;
  /// The value below which `fraction` of the frames lie (nearest rank); 0 without frames.
  [[nodiscard]] double quantile(double fraction) const;
  [[nodiscard]] double median() const { return quantile(0.5); }
  [[nodiscard]] double p99() const { return quantile(0.99); }
  [[nodiscard]] double max() const { return quantile(1); }
};

/// Time per stage, host submit to host result of the whole batch.
struct FrameTimes {
  Durations encode;
  Durations lm;
  Durations decode;
  Durations frame;
};

/// `batch` callers of a loaded context, each with encoder, language model and decoder.
class Callers {
 public:
  Callers(moshi::ExecutionContext& context, int batch);
  /// One frame of every caller through all stages; appends to `times`.
  void frame(FrameTimes& times);
  /// One stage of one frame, milliseconds.
  double encode();
  double step();
  double decode();

 private:
  moshi::ExecutionContext& context_;
  std::vector<std::unique_ptr<moshi::EncoderSession>> encoders_;
  std::vector<std::unique_ptr<moshi::LmSession>> models_;
  std::vector<std::unique_ptr<moshi::DecoderSession>> decoders_;
  std::vector<float> pcm_;
  std::vector<uint16_t> user_codes_;
  std::vector<uint16_t> output_codes_;
};
