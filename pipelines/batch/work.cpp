// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/work.h"

#include <chrono>
#include <cmath>

#include "batch/fingerprint.h"
#include "batch/probe.h"
#include "batch/stop_signals.h"
#include "checkpoint/sha256.h"

namespace batch {
namespace {

/// A killed process's next run takes up what was stopped; it is no failure.
class Stopped {};

void check_stopped() {
  if (StopSignals::count() > 1) throw Stopped();
}

double to_milliseconds(double seconds) { return std::round(seconds * 1000) / 1000; }

}  // namespace

void Work::operator()(const Recording& recording) {
  Journal::Line line = {{"id", recording.id}, {"path", recording.path}};
  try {
    line.update(key_of(recording));
    if (is_done(line, recording.id)) {
      ++tally_.skipped;
    } else {
      perform(recording, line);
    }
  } catch (const Stopped&) {
    return;
  } catch (const Failure& failure) {
    fail(line, failure.status(), failure.what());
  } catch (const moshi::Error& error) {
    fail(line, status_of(error.code()), error.what());
  } catch (const std::exception& error) {
    fail(line, Status::Other, recording.path + ": " + error.what());
  }
}

uint64_t Work::seed_of(const Recording& recording) const {
  if (recording.seed != 0) return recording.seed;
  const std::string text = std::to_string(base_seed_) + ' ' + recording.id;
  // Small enough for any JSON reader, and never 0, which would mean a random one.
  return 1 + std::stoull(moshi::checkpoint::sha256_hex(text).substr(0, 8), nullptr, 16);
}

Journal::Line Work::key_of(const Recording& recording) const {
  Journal::Line key = {{"settings", settings_}, {"input_sha256", file_hash(recording.path)}};
  key["seed"] = seed_of(recording);
  if (recording.start > 0) key["start"] = recording.start;
  if (recording.end > 0) key["end"] = recording.end;
  return key;
}

bool Work::is_done(const Journal::Line& key, const std::string& id) const {
  const Journal::Line line = journal_.find(id);
  if (line.is_null() || !line.contains("outputs")) return false;
  for (const char* name : {"settings", "input_sha256", "seed", "start", "end"}) {
    if (line.value(name, Journal::Line()) != key.value(name, Journal::Line())) return false;
  }
  try {
    for (const auto& [name, hash] : line["outputs"].items()) {
      if (file_hash(out_ / name) != hash) return false;
    }
  } catch (const Failure&) {
    return false;
  }
  return true;
}

void Work::perform(const Recording& recording, Journal::Line line) {
  const auto begin = std::chrono::steady_clock::now();
  check_whole(recording.path);
  const Outcome outcome = task_.run(recording, line["seed"], check_stopped);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  line["input_seconds"] = to_milliseconds(outcome.input_seconds);
  line["output_seconds"] = to_milliseconds(outcome.output_seconds);
  line["frames"] = outcome.frames;
  line["wall_seconds"] = to_milliseconds(seconds);
  line["speed"] = to_milliseconds(outcome.input_seconds / seconds);
  line["output"] = outcome.outputs.front();
  for (const std::string& name : outcome.outputs) line["outputs"][name] = file_hash(out_ / name);
  line["sha256"] = line["outputs"][outcome.outputs.front()];
  journal_.add(line);
  ++tally_.done;
  tally_.input_seconds += outcome.input_seconds;
  tally_.output_seconds += outcome.output_seconds;
}

void Work::fail(Journal::Line line, Status status, const std::string& problem) {
  print_message(problem);
  ++tally_.failed;
  if (status != Status::BadFile) tally_.failed_otherwise = true;
  line["error"] = problem;
  try {
    journal_.add(line);
  } catch (const Failure& failure) {
    tally_.failed_otherwise = true;
    print_message(failure.what());
  }
}

}  // namespace batch
