// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The two clocks: one that never goes back, for spans, and the calendar's.
#pragma once

#include <glib.h>

#include <string>

namespace serve {

/// Seconds of the clock that never goes back.
inline double now() { return static_cast<double>(g_get_monotonic_time()) * 1e-6; }

/// The calendar's time, UTC, in the form of g_date_time_format().
inline std::string time_now(const char* form) {
  GDateTime* date = g_date_time_new_now_utc();
  gchar* text = g_date_time_format(date, form);
  std::string time = text;
  g_free(text);
  g_date_time_unref(date);
  return time;
}

}  // namespace serve
