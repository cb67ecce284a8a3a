// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Measuring frames: several callers' sessions driven in lock step.
#pragma once

#include <moshi/moshi.h>

#include <memory>
#include <vector>

/// A figure of many frames.
struct Samples {
  std::vector<double> values;
  /// The value that `fraction` of them do not exceed (nearest rank); 0 without any.
  [[nodiscard]] double quantile(double fraction) const;
  [[nodiscard]] double median() const { return quantile(0.5); }
  [[nodiscard]] double p99() const { return quantile(0.99); }
  [[nodiscard]] double max() const { return quantile(1); }
};

/// Milliseconds per stage, host submit to host result of the whole batch.
struct FrameTimes {
  Samples encode;
  Samples lm;
  Samples decode;
  Samples frame;
};

/// `batch` callers of a loaded context, each with encoder, language model and decoder.
class Callers {
 public:
  /// Their conversations have `history` positions behind them when they begin, and go back there after `span`
  /// steps; 0: never.
  Callers(moshi::ExecutionContext& context, int batch, int history = 0, int span = 0);
  /// One frame of every caller through all stages; appends to `times`.
  void frame(FrameTimes& times);
  /// One stage of one frame, milliseconds.
  double encode();
  double step();
  double decode();
  /// Conversations begin anew, with a step that nobody measures.
  void restart();
  /// restart() where the span is over. frame() does so by itself.
  void stay_near();
  /// Positions the next step attends to.
  [[nodiscard]] int positions() const;

 private:
  moshi::ExecutionContext& context_;
  int history_;
  int span_;
  int steps_ = 0;  ///< Since the history.
  std::vector<std::unique_ptr<moshi::EncoderSession>> encoders_;
  std::vector<std::unique_ptr<moshi::LmSession>> models_;
  std::vector<std::unique_ptr<moshi::DecoderSession>> decoders_;
  std::vector<float> heard_;
  std::vector<float> said_;
  std::vector<uint16_t> user_codes_;
  std::vector<uint16_t> output_codes_;
};
