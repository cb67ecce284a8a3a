// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/subtitles.h"

#include <cstdio>

namespace batch {
namespace {

/// What is shown at a time: at most so much text and time, and no silence longer than the last.
constexpr size_t kLongest = 42;
constexpr int64_t kLongest_ns = 5'000'000'000;
constexpr int64_t kSilence_ns = 1'000'000'000;

std::vector<moshi::Word> to_cues(const std::vector<moshi::Word>& words) {
  std::vector<moshi::Word> cues;
  for (const moshi::Word& word : words) {
    const bool fits = !cues.empty() && cues.back().text.size() + 1 + word.text.size() <= kLongest &&
                      word.end_ns - cues.back().start_ns <= kLongest_ns &&
                      word.start_ns - cues.back().end_ns <= kSilence_ns;
    if (fits) {
      cues.back().text += ' ' + word.text;
      cues.back().end_ns = word.end_ns;
    } else {
      cues.push_back(word);
    }
  }
  return cues;
}

/// hh:mm:ss, `point`, milliseconds.
std::string clock_time(int64_t ns, char point) {
  const int64_t ms = (ns + 500'000) / 1'000'000;
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d%c%03d", static_cast<int>(ms / 3'600'000),
                static_cast<int>(ms / 60'000 % 60), static_cast<int>(ms / 1000 % 60), point,
                static_cast<int>(ms % 1000));
  return text;
}

std::string times(const moshi::Word& cue, char point) {
  return clock_time(cue.start_ns, point) + " --> " + clock_time(cue.end_ns, point) + '\n';
}

/// WebVTT reads tags and entities in its text.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text)
    result += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return result;
}

}  // namespace

std::string to_vtt(const std::vector<moshi::Word>& words) {
  std::string text = "WEBVTT\n";
  for (const moshi::Word& cue : to_cues(words)) text += '\n' + times(cue, '.') + escaped(cue.text) + '\n';
  return text;
}

std::string to_srt(const std::vector<moshi::Word>& words) {
  std::string text;
  int number = 0;
  for (const moshi::Word& cue : to_cues(words)) {
    text += std::to_string(++number) + '\n' + times(cue, ',') + cue.text + "\n\n";
  }
  return text;
}

}  // namespace batch
