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
  return help + " or a smaller model";
}

}  // namespace

bool check_real_time(GstElement* element, moshi::ExecutionContext& context, unsigned step_delay, bool allowed,
                     const moshi::Cancellation* cancel) {
  const double limit = static_cast<double>(context.codec().frame_ns) * 1e-6;
  const double found = context.measure_frame(cancel).frame_ms_p99 + step_delay;
  if (found <= limit) return true;
  const moshi::ContextStats stats = context.stats();
  const std::string problem = "too slow for a live conversation: expected at most " +
                              std::to_string(std::lround(limit)) + " ms a frame, found " +
                              one_decimal(found) + " ms (p99) on " + stats.device_name + " (" + stats.device +
                              ") in " + stats.precision + ": ";
  if (!allowed) {
    throw moshi::Error(
        moshi::ErrorCode::NoDevice,
        problem + what_helps(stats) + ", or set allow-slow=true to have a conversation with gaps");
  }
  GST_ELEMENT_WARNING_WITH_DETAILS(element, CORE, CLOCK,
                                   ("%sit will have gaps; %s", problem.c_str(), what_helps(stats).c_str()),
                                   (nullptr), ("frame-ms", G_TYPE_DOUBLE, found, nullptr));
  return false;
}

}  // namespace gstmoshi
