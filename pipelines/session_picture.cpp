// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "session_picture.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace {

// Pixels.
constexpr int kPerSecond = 100;
constexpr int kMargin = 16;
constexpr int kNameHeight = 22;
constexpr int kWaveHeight = 72;
constexpr int kWordLine = 18;
constexpr int kLaneHeight = kNameHeight + kWaveHeight + 2 * kWordLine + 16;
constexpr int kAxisHeight = 28;

constexpr const char* kColours[] = {"#3465a4", "#c4582c"};

std::string escaped(const std::string& text) {
  return GstHandle<gchar>(g_markup_escape_text(text.data(), static_cast<gssize>(text.size()))).get();
}

double x_of(int64_t ns) { return kMargin + static_cast<double>(ns) * 1e-9 * kPerSecond; }

/// A closed line around the peaks, mirrored at the lane's middle.
void draw_wave(std::ostream& svg, const std::vector<float>& peaks, double middle, const char* colour) {
  const auto point = [&](size_t index, double sign) {
    const double x = kMargin + (static_cast<double>(index) + 0.5) * kPerSecond / Waveform::kPeaksPerSecond;
    // A silent stretch stays visible as a thin line.
    const double y = std::max(0.6, static_cast<double>(peaks[index]) * kWaveHeight / 2);
    svg << x << ',' << middle + sign * y << ' ';
  };
  svg << "<polygon fill=\"" << colour << "\" points=\"";
  for (size_t i = 0; i < peaks.size(); ++i) point(i, -1);
  for (size_t i = peaks.size(); i-- > 0;) point(i, 1);
  svg << "\"/>\n";
}

/// Each word where it begins, alternately on two lines: neighbours do not touch.
void draw_words(std::ostream& svg, const std::vector<moshi::Word>& words, double top, const char* colour) {
  const auto baseline = [top](size_t index) { return top + kWordLine * static_cast<double>(1 + index % 2); };
  for (size_t i = 0; i < words.size(); ++i) {
    const double x = x_of(words[i].start_ns);
    svg << "<line x1=\"" << x << "\" y1=\"" << top - 4 << "\" x2=\"" << x << "\" y2=\"" << baseline(i) - 11
        << "\" stroke=\"" << colour << "\"/>";
  }
  for (size_t i = 0; i < words.size(); ++i) {
    svg << "<text x=\"" << x_of(words[i].start_ns) << "\" y=\"" << baseline(i)
        << "\" stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\">" << escaped(words[i].text)
        << "</text>\n";
  }
}

std::vector<moshi::Word> words_beside(const std::string& input) {
  const auto path = std::filesystem::path(input).replace_extension(".jsonl");
  return !input.empty() && std::filesystem::is_regular_file(path) ? read_transcript(path)
                                                                  : std::vector<moshi::Word>();
}

double seconds_of(const PictureSide& side) {
  double end = static_cast<double>(side.speech->peaks().size()) / Waveform::kPeaksPerSecond;
  for (const moshi::Word& word : side.words) end = std::max(end, static_cast<double>(word.end_ns) * 1e-9);
  return end;
}

}  // namespace

void Waveform::listen(Pipeline& pipeline, GstElement* element) {
  pipeline.on_buffer(element, [this](GstBuffer* buffer) {
    GstMapInfo map;
    if (gst_buffer_map(buffer, &map, GST_MAP_READ) == FALSE) return;
    push(reinterpret_cast<const float*>(map.data), map.size / sizeof(float));
    gst_buffer_unmap(buffer, &map);
  });
}

void Waveform::push(const float* samples, size_t count) {
  const size_t skipped = std::min(skip_, count);
  skip_ -= skipped;
  for (size_t i = skipped; i < count; ++i) {
    if (in_last_ == 0) peaks_.push_back(0.0F);
    peaks_.back() = std::max(peaks_.back(), std::min(1.0F, std::abs(samples[i])));
    in_last_ = (in_last_ + 1) % samples_per_peak_;
  }
}

std::string draw_session(const std::vector<PictureSide>& sides) {
  double seconds = 0;
  for (const PictureSide& side : sides) seconds = std::max(seconds, seconds_of(side));
  const int width = 2 * kMargin + static_cast<int>(std::ceil(seconds * kPerSecond));
  const int lanes = static_cast<int>(sides.size()) * kLaneHeight;
  std::ostringstream svg;
  svg.imbue(std::locale::classic());
  svg.setf(std::ios::fixed);
  svg.precision(1);
  svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << lanes + kAxisHeight
      << "\" width=\"" << width << "\" font-family=\"sans-serif\" font-size=\"13\">\n"
      << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  for (int second = 0; second <= static_cast<int>(seconds); ++second) {
    const int x = kMargin + second * kPerSecond;
    svg << "<line x1=\"" << x << "\" y1=\"0\" x2=\"" << x << "\" y2=\"" << lanes << "\" stroke=\"#e4e4e4\"/>"
        << "<text x=\"" << x << "\" y=\"" << lanes + 18 << "\" fill=\"#767676\" text-anchor=\"middle\">"
        << second << " s</text>\n";
  }
  for (size_t i = 0; i < sides.size(); ++i) {
    const char* colour = kColours[i % std::size(kColours)];
    const double top = static_cast<double>(i) * kLaneHeight;
    svg << "<g fill=\"#222222\">\n<text x=\"" << kMargin << "\" y=\"" << top + 16
        << "\" font-weight=\"bold\" fill=\"" << colour << "\">" << escaped(sides[i].name) << "</text>\n";
    draw_wave(svg, sides[i].speech->peaks(), top + kNameHeight + kWaveHeight / 2.0, colour);
    draw_words(svg, sides[i].words, top + kNameHeight + kWaveHeight + 4, colour);
    svg << "</g>\n";
  }
  svg << "</svg>\n";
  return svg.str();
}

std::vector<moshi::Word> read_transcript(const std::filesystem::path& path) {
  std::vector<moshi::Word> words;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    try {
      const auto word = nlohmann::json::parse(line);
      const auto ns = [&](const char* key) { return std::llround(word.at(key).get<double>() * 1e9); };
      words.push_back({ns("start"), ns("end"), word.at("text").get<std::string>()});
    } catch (const nlohmann::json::exception&) {
      throw Failure(Status::BadFile, path.string() +
                                         ": expected lines like {\"start\": 0.5, \"end\": 0.7, \"text\": "
                                         "\"word\"}, found \"" +
                                         line.substr(0, 60) + "\"; correct it or move it away");
    }
  }
  return words;
}

SessionPicture::SessionPicture(const std::string& path, const std::string& input, int sample_rate,
                               double skip_seconds)
    : asked_(words_beside(input)), question_(sample_rate, skip_seconds), reply_(sample_rate), file_(path) {}

void SessionPicture::write(const std::vector<moshi::Word>& replied) const {
  file_.write(draw_session({{"You", &question_, asked_}, {"Moshi", &reply_, replied}}));
}
