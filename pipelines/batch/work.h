// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <string>

#include "batch/journal.h"
#include "batch/task.h"

namespace batch {

/// What has happened so far, for progress and the summary.
struct Tally {
  std::atomic<size_t> done = 0;
  std::atomic<size_t> skipped = 0;  ///< Done by an earlier run.
  std::atomic<size_t> failed = 0;
  std::atomic<bool> failed_otherwise = false;  ///< Not for the sake of the input: exit status 1.
  std::atomic<double> input_seconds = 0;       ///< Of those done now.
  std::atomic<double> output_seconds = 0;
};

/// Does each recording once: skips what the journal has and the disk still holds, reports the rest.
class Work {
 public:
  /// `settings`: the hash of what decides an output besides the recording. `base_seed`: for recordings
  /// without one.
  Work(const Task& task, Journal& journal, std::filesystem::path out, std::string settings,
       uint64_t base_seed)
      : task_(task),
        journal_(journal),
        out_(std::move(out)),
        settings_(std::move(settings)),
        base_seed_(base_seed) {}
  /// Works through one; on any thread. Failures go to the journal and to stderr.
  void operator()(const Recording& recording);
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  [[nodiscard]] uint64_t seed_of(const Recording& recording) const;
  /// What identifies the work: equal means that it would give the same bytes.
  [[nodiscard]] Journal::Line key_of(const Recording& recording) const;
  [[nodiscard]] bool is_done(const Journal::Line& key, const std::string& id) const;
  void perform(const Recording& recording, Journal::Line line);
  void fail(Journal::Line line, Status status, const std::string& problem);

  const Task& task_;
  Journal& journal_;
  std::filesystem::path out_;
  std::string settings_;
  uint64_t base_seed_;
  Tally tally_;
};

}  // namespace batch
