// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A session as a picture (SVG): the waveforms of both sides on one time line, the words under them.
#pragma once

#include <moshi/moshi.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "output_file.h"
#include "pipeline.h"

/// The loudest sample of every 10 ms of a side's speech.
class Waveform {
 public:
  static constexpr int kPeaksPerSecond = 100;
  /// The first `skip_seconds` do not count.
  explicit Waveform(int sample_rate, double skip_seconds = 0)
      : samples_per_peak_(sample_rate / kPeaksPerSecond),
        skip_(static_cast<size_t>(skip_seconds * sample_rate)) {}

  /// Listens at the sink pad of `element`, where mono F32LE speech arrives.
  void listen(Pipeline& pipeline, GstElement* element);
  void push(const float* samples, size_t count);
  /// Peaks in [0, 1]; complete once the pipeline has ended.
  [[nodiscard]] const std::vector<float>& peaks() const { return peaks_; }

 private:
  int samples_per_peak_;
  size_t skip_;
  int in_last_ = 0;  ///< Samples that the last peak has seen.
  std::vector<float> peaks_;
};

/// One lane of the picture. Times of words in nanoseconds.
struct PictureSide {
  std::string name;
  const Waveform* speech;
  std::vector<moshi::Word> words;
};

/// The lanes one below the other as SVG text, as long as the longest; word times rounded to 10 ms.
std::string draw_session(const std::vector<PictureSide>& sides);

/// Words of a transcript as `talk --transcript` writes it. Throws Failure(BadFile) for anything else.
std::vector<moshi::Word> read_transcript(const std::filesystem::path& path);

/// Follows a session and draws it at its end.
class SessionPicture {
 public:
  /// `path`: the file to write. `input`: the question's file, whose words are taken from the transcript
  /// beside it, where there is one. Its sound counts after `skip_seconds`.
  SessionPicture(const std::string& path, const std::string& input, int sample_rate, double skip_seconds);
  Waveform& question() { return question_; }
  Waveform& reply() { return reply_; }
  /// Writes the picture, not yet under its name. Throws Failure where there is no space.
  void write(const std::vector<moshi::Word>& replied) const;
  void commit() { file_.commit(); }

 private:
  std::vector<moshi::Word> asked_;
  Waveform question_;
  Waveform reply_;
  OutputFile file_;
};
