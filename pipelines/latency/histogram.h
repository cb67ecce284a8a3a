// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Figures by how often they come, on a terminal and as a picture.
#pragma once

#include <string>
#include <vector>

namespace latency {

/// Values counted in bars of equal width: 1, 2 or 5 times a power of ten, the first that needs no more
/// than 12.
struct Histogram {
  double first = 0;  ///< Where the first bar begins.
  double width = 1;
  std::vector<int> counts;
};
/// Counts values.
Histogram count(const std::vector<double>& values);

/// A line for each bar.
std::string to_text(const Histogram& histogram);

/// As SVG text, under `title`; the values' unit is `unit`.
std::string to_svg(const Histogram& histogram, const std::string& title, const std::string& unit);

}  // namespace latency
