// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "doctor/findings.h"

namespace doctor {

/// What a device can do with a model, in one precision.
struct Capacity {
  std::string precision;
  double frame_ms = 0;  ///< Of one caller; 0: does not fit.
  int callers = 0;      ///< At least, with conversations of full length; 0: not in real time.
};

/// What the measured model does on its device.
Capacity capacity_of(const Measurement& measured);

/// What the published 7B model would do on a card by its memory and bandwidth, in bf16 and in int8 (keys and
/// values, too), as docs/performance.md predicts. `bandwidth` is what the card reads, bytes a second.
std::vector<Capacity> predict(uint64_t free_bytes, double bandwidth);

/// The published 7B model on this machine's best usable GPU; empty without one.
struct Prediction {
  std::string device;  ///< Its name.
  std::vector<Capacity> capacities;
};
Prediction predict(const Facts& facts, const Findings& findings);

/// "ready for live use: 6.6 ms of 80.0 ms a frame on ..., at least 12 callers in f32".
std::string verdict_of(const Measurement& measured);

/// "bf16 about 18 ms a frame, 2 callers; int8 about 11 ms, 13 callers".
std::string describe(const std::vector<Capacity>& capacities);

}  // namespace doctor
