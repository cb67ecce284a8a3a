// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "budget.h"

#include <cmath>

namespace gstmoshi {
namespace {

// Milliseconds that are declared in vain before it is worth a change, which all sinks have to follow.
constexpr unsigned hysteresis = 5;

// A tenth and three milliseconds more than measured: threads do not wake at once.
unsigned with_margin(double p99) { return static_cast<unsigned>(std::ceil(1.1 * p99 + 3)); }

}  // namespace

bool Budget::measure(double p99) {
  const unsigned needed = with_margin(p99);
  const unsigned declared = measured_ms_;
  const bool leaves = p99 > declared || needed + hysteresis < declared;
  if (!assumed_.exchange(false) && !leaves) return false;
  measured_ms_ = needed;
  return property_ == automatic && needed != declared;
}

unsigned Budget::milliseconds() const {
  const int property = property_;
  return property == automatic ? measured_ms_ + waiting_ms_ : static_cast<unsigned>(property);
}

}  // namespace gstmoshi
