// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "doctor/verdict.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace doctor {
namespace {

/// What a median may take of the 80 ms, so that the 99th percentile fits.
constexpr double kBudgetMs = 72;
/// Part of the data sheet's bandwidth that a kernel reaches which only reads.
constexpr double kReadable = 0.92;
constexpr int kPositions = 3000;  ///< Of a full conversation.

/// The published 7B model in one precision, as docs/performance.md measured it.
struct Shape {
  const char* precision;
  double weights;          ///< Bytes.
  double step_weights;     ///< Bytes of them a step reads.
  double position;         ///< Bytes of keys and values of one position.
  double rest;             ///< Bytes of all else.
  double other_ms;         ///< What of a frame is no reading.
  double other_ms_caller;  ///< The same, of each further caller.
};
constexpr double kCodecState = 20e6;  ///< Bytes a caller.
constexpr Shape kShapes[] = {{"bf16", 15.8e9, 14.8e9, 0.52e6, 1.1e9, 1.65, 0.22},
                             {"int8", 8.4e9, 7.4e9, 0.27e6, 1.0e9, 1.93, 0.22}};

double frame_ms(const Shape& shape, double callers, double bandwidth) {
  const double bytes = shape.step_weights + callers * kPositions * shape.position;
  return shape.other_ms + (callers - 1) * shape.other_ms_caller + 1e3 * bytes / bandwidth;
}

Capacity predict(const Shape& shape, double memory, double bandwidth) {
  Capacity capacity{shape.precision};
  const double per_caller = kPositions * shape.position + kCodecState;
  int callers = std::max(0, static_cast<int>((memory - shape.weights - shape.rest) / per_caller));
  if (callers == 0) return capacity;
  capacity.frame_ms = frame_ms(shape, 1, bandwidth);
  while (callers > 0 && frame_ms(shape, callers, bandwidth) > kBudgetMs) --callers;
  capacity.callers = callers;
  return capacity;
}

std::string callers_text(int callers) {
  return std::to_string(callers) + (callers == 1 ? " caller" : " callers");
}

}  // namespace

Capacity capacity_of(const Measurement& measured) {
  const double in_time = measured.p99_ms > 0 ? std::floor(measured.budget_ms / measured.p99_ms) : 0;
  return {measured.precision, measured.p99_ms,
          static_cast<int>(std::min<double>(in_time, measured.callers_in_memory))};
}

std::vector<Capacity> predict(uint64_t free_bytes, double bandwidth) {
  std::vector<Capacity> capacities;
  for (const Shape& shape : kShapes) {
    capacities.push_back(predict(shape, static_cast<double>(free_bytes), bandwidth));
  }
  return capacities;
}

Prediction predict(const Facts& facts, const Findings& findings) {
  Prediction best;
  if (!facts.build.cuda) return best;
  double fastest = 0;
  for (size_t i = 0; i < facts.driver.gpus.size(); ++i) {
    const Gpu& gpu = facts.driver.gpus[i];
    if (gpu.mig || gpu.bandwidth <= fastest || blocked(findings, static_cast<int>(i))) continue;
    fastest = gpu.bandwidth;
    const bool measured =
        facts.measured && facts.measured->bandwidth > 0 && facts.measured->device_name == gpu.name;
    best = {gpu.name,
            predict(gpu.free_bytes, measured ? facts.measured->bandwidth : kReadable * gpu.bandwidth)};
  }
  return best;
}

std::string verdict_of(const Measurement& measured) {
  const Capacity capacity = capacity_of(measured);
  std::ostringstream text;
  text << std::fixed << std::setprecision(1);
  if (measured.p99_ms <= measured.budget_ms) {
    text << "ready for live use: " << measured.p99_ms << " ms of " << measured.budget_ms << " ms a frame on "
         << measured.device_name << ", at least " << callers_text(capacity.callers) << " in "
         << measured.precision;
  } else {
    text << "ready for files, too slow for live use: " << measured.p99_ms << " ms for a frame of "
         << measured.budget_ms << " ms in " << measured.precision << " on " << measured.device_name;
  }
  return text.str();
}

std::string describe(const std::vector<Capacity>& capacities) {
  std::ostringstream text;
  for (const Capacity& capacity : capacities) {
    text << (text.tellp() > 0 ? "; " : "") << capacity.precision;
    if (capacity.frame_ms <= 0) {
      text << " does not fit";
    } else {
      text << " about " << std::lround(capacity.frame_ms) << " ms a frame, ";
      text << (capacity.callers == 0 ? "too slow for live use" : callers_text(capacity.callers));
    }
  }
  return text.str();
}

}  // namespace doctor
