// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi batch`: many recordings through one model at once.
#include <algorithm>
#include <chrono>
#include <iostream>

#include "batch/crew.h"
#include "batch/fingerprint.h"
#include "batch/manifest.h"
#include "batch/probe.h"
#include "batch/shard.h"
#include "batch/stop_signals.h"
#include "batch/work.h"
#include "checkpoint/sha256.h"

namespace fs = std::filesystem;

namespace {

/// Stopped before the end: run it again (EX_TEMPFAIL of sysexits.h).
constexpr int kUnfinished = 75;
/// More do not fit the largest cards.
constexpr size_t kMostSessions = 256;

struct BatchOptions : batch::TaskOptions {
  std::vector<std::string> inputs;
  std::string manifest;
  std::string out;
  std::string shard = "0/1";
  std::string sessions = "auto";
};

size_t parse_sessions(const std::string& text) {
  if (text == "auto") return 0;
  const bool number =
      !text.empty() && text.size() <= 3 && text.find_first_not_of("0123456789") == std::string::npos;
  const size_t count = number ? std::stoul(text) : 0;
  if (count == 0 || count > kMostSessions) {
    throw Failure(Status::Usage, "--sessions: expected auto or a number from 1 to " +
                                     std::to_string(kMostSessions) + ", found " + text);
  }
  return count;
}

/// The hash of what decides outputs, recordings apart.
std::string settings_hash(const BatchOptions& options, const moshi::ExecutionContext& context) {
  nlohmann::ordered_json settings = {{"version", moshi::build_info().version},
                                     {"model", batch::model_hash(context.model())},
                                     {"device", context.stats().device_name},
                                     {"task", options.task}};
  if (options.task == "encode") settings["codebooks"] = options.codebooks;
  if (options.task != "encode") settings["format"] = options.format;
  if (options.task != "decode") settings["channel"] = options.channel;
  if (options.task == "reply" || options.task == "transcribe") {
    settings.update({{"precision", options.precision},
                     {"kv_precision", options.kv_precision},
                     {"greedy", options.greedy},
                     {"cfg_coef", options.cfg_coef},
                     {"conditions", options.conditions}});
  }
  return moshi::checkpoint::sha256_hex(settings.dump()).substr(0, 16);
}

/// This shard's, the longest first: a long one that begins last would hold up the end.
std::vector<batch::Recording> choose(const BatchOptions& options, const batch::Shard& shard) {
  const bool codes = options.task == "decode";
  auto recordings = batch::list_recordings(options.inputs, options.manifest, options.out, codes);
  std::erase_if(recordings, [&shard](const auto& recording) { return !shard.has(recording.id); });
  const auto seconds = [codes](const batch::Recording& recording) {
    if (recording.end > 0) return recording.end - recording.start;
    std::error_code error;
    const auto bytes = fs::file_size(recording.path, error);
    if (error || bytes == 0) return 0.0;
    return codes ? static_cast<double>(bytes) : batch::declared_seconds(recording.path) - recording.start;
  };
  std::vector<std::pair<double, batch::Recording>> timed;
  for (batch::Recording& recording : recordings) timed.emplace_back(seconds(recording), std::move(recording));
  std::stable_sort(timed.begin(), timed.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  recordings.clear();
  for (auto& [length, recording] : timed) recordings.push_back(std::move(recording));
  return recordings;
}

void make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw Failure(Status::Other, path + ": expected a directory to write in, found: " + error.message());
  }
}

/// What a bar says of the work so far.
void show(Progress& progress, const batch::Tally& tally, size_t all) {
  const size_t over = tally.done + tally.skipped + tally.failed;
  progress.show(std::to_string(over) + " of " + std::to_string(all) + " recordings, " +
                    std::to_string(tally.failed) + " failed",
                static_cast<double>(over) / static_cast<double>(std::max<size_t>(all, 1)));
}

void print_summary(const BatchOptions& options, const batch::Tally& tally, size_t all, double seconds) {
  if (options.json) {
    print_result(nlohmann::ordered_json{{"recordings", all},
                                        {"done", tally.done.load()},
                                        {"skipped", tally.skipped.load()},
                                        {"failed", tally.failed.load()},
                                        {"input_seconds", tally.input_seconds.load()},
                                        {"output_seconds", tally.output_seconds.load()},
                                        {"wall_seconds", seconds},
                                        {"speed", tally.input_seconds / seconds}});
  } else if (!options.quiet) {
    std::cout << tally.done << " done, " << tally.skipped << " done before, " << tally.failed << " failed of "
              << all << "; " << tally.input_seconds << " s of sound in " << seconds << " s" << std::endl;
  }
}

void run(const BatchOptions& options) {
  gst_init(nullptr, nullptr);
  const batch::Shard shard = batch::parse_shard(options.shard);
  const size_t sessions = parse_sessions(options.sessions);
  const auto begin = std::chrono::steady_clock::now();
  const auto context = acquire_context(options);
  const batch::Task task(options, context, options.out);
  Progress progress(options.quiet);
  progress.show("looking at the recordings");
  const auto recordings = choose(options, shard);
  make_directory(options.out);
  batch::Journal journal(fs::path(options.out) / shard.report_name());
  for (const batch::Recording& recording : recordings) task.clean(recording);
  task.load(progress);

  const batch::StopSignals signals;
  batch::Work work(task, journal, options.out, settings_hash(options, *context), options.seed);
  batch::Growth growth(kMostSessions);
  const auto elapsed = [&begin] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  {
    batch::Crew crew(recordings, [&work](const batch::Recording& recording) { work(recording); });
    do {
      crew.grow(sessions > 0 ? sessions : growth.next(elapsed(), task.frames()));
      if (batch::StopSignals::count() > 0) crew.stop();
      show(progress, work.tally(), recordings.size());
    } while (!crew.wait(0.2));
  }
  progress.clear();
  journal.tidy();
  const batch::Tally& tally = work.tally();
  print_summary(options, tally, recordings.size(), elapsed());
  const bool unfinished = tally.done + tally.skipped + tally.failed < recordings.size();
  if (unfinished) throw CLI::RuntimeError(kUnfinished);
  if (tally.failed > 0)
    throw CLI::RuntimeError(static_cast<int>(tally.failed_otherwise ? Status::Other : Status::BadFile));
}

}  // namespace

void add_batch(CLI::App& app) {
  auto options = std::make_shared<BatchOptions>();
  auto* command = app.add_subcommand("batch", "Many recordings at once, to files in a directory");
  command->add_option("IN", options->inputs, "Recordings, directories, patterns")->type_name("");
  command
      ->add_option("--manifest", options->manifest,
                   "File that names recordings: a line of JSON (path, id, seed, start, end) or a path each")
      ->type_name("FILE");
  command->add_option("--out", options->out, "Directory for the outputs and report.jsonl")
      ->type_name("DIR")
      ->required();
  command->add_option("--task", options->task, "reply, encode, decode or transcribe")
      ->check(CLI::IsMember({"reply", "encode", "decode", "transcribe"}))
      ->capture_default_str();
  command->add_option("--format", options->format, "Of speech written: wav, flac or opus")
      ->check(CLI::IsMember({"wav", "flac", "opus"}))
      ->capture_default_str();
  command->add_option("--channel", options->channel, "Of the recordings, the first is 1")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--codebooks", options->codebooks, "Of --task encode (0: as the model uses)")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--sessions", options->sessions, "Recordings at a time: auto or a number")
      ->capture_default_str();
  command
      ->add_option("--shard", options->shard,
                   "I/N: the Ith part of N; auto/N asks Slurm, Kubernetes or GNU parallel for I")
      ->capture_default_str();
  add_sampling_options(*command, *options);
  add_common_options(*command, *options);
  command->footer(
      "Examples:\n"
      "  gst-moshi batch recordings/ --out replies\n"
      "  gst-moshi batch --manifest files.jsonl --out codes --task encode --sessions 16\n"
      "  gst-moshi batch --manifest files.jsonl --out replies --shard auto/8\n"
      "Exit status: also 75 when stopped before the end; run it again to go on.");
  command->callback([options] { run(*options); });
}
