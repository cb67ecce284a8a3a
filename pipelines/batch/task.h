// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What is done with one recording: a pipeline from its file to its outputs.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "batch/manifest.h"
#include "options.h"
#include "pipeline.h"

namespace batch {

/// What decides the bytes of an output, together with the recording and the model.
struct TaskOptions : CommonOptions, SamplingOptions {
  std::string task = "reply";
  std::string format = "wav";
  int channel = 1;
  int codebooks = 0;
};

/// What has come of a recording.
struct Outcome {
  double input_seconds = 0;
  double output_seconds = 0;
  uint64_t frames = 0;
  std::vector<std::string> outputs;  ///< Names in the directory; the main one first.
};

class Task {
 public:
  /// Throws Failure(Usage) where the model cannot do it.
  Task(const TaskOptions& options, std::shared_ptr<moshi::ExecutionContext> context,
       std::filesystem::path out);
  /// Loads what it needs of the model.
  void load(Progress& progress) const;
  /// Works through one recording; on any thread, many at a time. Its outputs appear whole or not at all.
  /// Throws Failure; `check` is called now and then, and may.
  [[nodiscard]] Outcome run(const Recording& recording, uint64_t seed,
                            const std::function<void()>& check) const;
  /// Frames that have gone into the model or codec since the beginning, of all recordings.
  [[nodiscard]] uint64_t frames() const { return frames_; }
  /// Removes what a killed process has left of a recording's unfinished outputs.
  void clean(const Recording& recording) const;

 private:
  struct Files;
  [[nodiscard]] bool writes_sound() const { return options_.task == "reply" || options_.task == "decode"; }
  [[nodiscard]] bool writes_words() const {
    return options_.task == "reply" || options_.task == "transcribe";
  }
  [[nodiscard]] std::vector<std::string> endings() const;
  /// Counts what comes to `element` in frames().
  void count_frames(Pipeline& pipeline, GstElement* element) const;

  [[nodiscard]] Outcome converse(const Recording& recording, uint64_t seed,
                                 const std::function<void()>& check) const;
  [[nodiscard]] Outcome encode(const Recording& recording, const std::function<void()>& check) const;
  [[nodiscard]] Outcome decode(const Recording& recording, const std::function<void()>& check) const;

  TaskOptions options_;
  std::shared_ptr<moshi::ExecutionContext> context_;
  std::filesystem::path out_;
  mutable std::atomic<uint64_t> frames_ = 0;
};

}  // namespace batch
