// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The one place where exceptions end: no exception crosses a GObject vfunc or a pad function.
#pragma once

#include <gst/gst.h>

#include <type_traits>
#include <utility>

namespace gstmoshi {

/// Posts the exception in flight on the element's bus, in the domain of docs/elements.md's error table.
/// Returns false, posting nothing, when it says that a wait was cancelled. Call it in a catch block only.
bool report_exception(GstElement* element) noexcept;

/// Runs `function` and returns its result; an exception becomes an error message and `fallback`.
/// A cancelled wait is no error: flow functions then return GST_FLOW_FLUSHING.
template <typename Result, typename Function>
Result guarded(GstElement* element, Result fallback, Function&& function) noexcept {
  try {
    return std::forward<Function>(function)();
  } catch (...) {
    const bool failed = report_exception(element);
    if constexpr (std::is_same_v<Result, GstFlowReturn>) {
      if (!failed) return GST_FLOW_FLUSHING;
    }
    return fallback;
  }
}

}  // namespace gstmoshi
