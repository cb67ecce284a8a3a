// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "latency/histogram.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <locale>
#include <sstream>

namespace latency {
namespace {

constexpr int kMostBars = 12;
/// Characters of the longest bar.
constexpr int kLongest = 50;

// Pixels.
constexpr int kMargin = 24;
constexpr int kBarWidth = 48;
constexpr int kHeight = 160;
constexpr int kTitleHeight = 40;
constexpr int kAxisHeight = 40;

int most(const Histogram& histogram) {
  return std::max(1, *std::max_element(histogram.counts.begin(), histogram.counts.end()));
}

/// 1, 2, 5, 10, ...
double next_width(double width) {
  const double digit = width / std::pow(10, std::floor(std::log10(width * 1.0001)));
  return digit < 1.5 ? 2 * width : digit < 3 ? 2.5 * width : 2 * width;
}

}  // namespace

Histogram count(const std::vector<double>& values) {
  Histogram histogram;
  if (values.empty()) return histogram;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const auto bar = [&](double value) { return std::floor(value / histogram.width); };
  while (bar(*high) - bar(*low) >= kMostBars) histogram.width = next_width(histogram.width);
  histogram.first = bar(*low) * histogram.width;
  histogram.counts.resize(static_cast<size_t>(bar(*high) - bar(*low)) + 1);
  for (const double value : values) ++histogram.counts[static_cast<size_t>(bar(value) - bar(*low))];
  return histogram;
}

std::string to_text(const Histogram& histogram) {
  std::ostringstream text;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    const int number = histogram.counts[i];
    const int length = (number * kLongest + most(histogram) - 1) / most(histogram);
    text << std::setw(8) << histogram.first + static_cast<double>(i) * histogram.width << " |"
         << std::string(static_cast<size_t>(length), '#') << ' ' << number << '\n';
  }
  return text.str();
}

std::string to_svg(const Histogram& histogram, const std::string& title, const std::string& unit) {
  const int bars = static_cast<int>(histogram.counts.size());
  const int width = 2 * kMargin + std::max(bars, 6) * kBarWidth;
  const int floor = kTitleHeight + kHeight;
  std::ostringstream svg;
  svg.imbue(std::locale::classic());
  svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << floor + kAxisHeight
      << "\" width=\"" << width << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
      << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<text x=\"" << kMargin
      << "\" y=\"18\" font-weight=\"bold\">" << title << "</text>\n";
  for (int i = 0; i <= bars; ++i) {
    const int x = kMargin + i * kBarWidth;
    svg << "<text x=\"" << x << "\" y=\"" << floor + 16 << "\" fill=\"#555753\" text-anchor=\"middle\">"
        << histogram.first + i * histogram.width << (i == bars ? ' ' + unit : "") << "</text>\n";
  }
  for (int i = 0; i < bars; ++i) {
    const int number = histogram.counts[static_cast<size_t>(i)];
    if (number == 0) continue;
    const int x = kMargin + i * kBarWidth;
    const int height = std::max(1, number * (kHeight - 20) / most(histogram));
    svg << "<rect x=\"" << x + 1 << "\" y=\"" << floor - height << "\" width=\"" << kBarWidth - 2
        << "\" height=\"" << height << "\" fill=\"#3465a4\"/>"
        << "<text x=\"" << x + kBarWidth / 2 << "\" y=\"" << floor - height - 4
        << "\" text-anchor=\"middle\">" << number << "</text>\n";
  }
  svg << "<line x1=\"" << kMargin << "\" y1=\"" << floor << "\" x2=\"" << kMargin + bars * kBarWidth
      << "\" y2=\"" << floor << "\" stroke=\"#555753\"/>\n</svg>\n";
  return svg.str();
}

}  // namespace latency
