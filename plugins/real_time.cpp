// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "real_time.h"

#include <cmath>
#include <cstdio>
#include <string>

namespace gstmoshi {
namespace {

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string what_helps(const moshi::ContextStats& stats) {
  std::string help = "use ";
  if (stats.precision != "int8") help += "precision=int8, ";
  help += stats.device == "cpu" ? "a GPU, more threads" : "a faster device";
  return help + " or a smaller model, or set allow-slow=true to have a conversation with gaps";
}

}  // namespace

void check_real_time(moshi::ExecutionContext& context, unsigned step_delay, bool allowed,
                     const moshi::Cancellation* cancel) {
  const double limit = static_cast<double>(context.codec().frame_ns) * 1e-6;
  const double found = context.measure_frame(cancel).frame_ms_p99 + step_delay;
  if (allowed || found <= limit) return;
  const moshi::ContextStats stats = context.stats();
  throw moshi::Error(moshi::ErrorCode::NoDevice,
                     "too slow for a live conversation: expected at most " +
                         std::to_string(std::lround(limit)) + " ms a frame, found " + one_decimal(found) +
                         " ms (p99) on " + stats.device_name + " (" + stats.device + ") in " +
                         stats.precision + ": " + what_helps(stats));
}

}  // namespace gstmoshi
