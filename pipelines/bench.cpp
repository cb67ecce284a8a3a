// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi bench`: how long frames take, and how many callers fit.
#include <iomanip>
#include <iostream>

#include "measure.h"
#include "options.h"
#include "report.h"

namespace {

using nlohmann::ordered_json;

struct BenchOptions : CommonOptions {
  std::vector<int> batches = {1};
  int frames = 100;
  int history = 0;
  bool stages = false;
  std::string random_weights;
};

constexpr int kWarmUpFrames = 5;

ordered_json to_json(const Durations& durations) {
  return {{"median_ms", durations.median()}, {"p99_ms", durations.p99()}, {"max_ms", durations.max()}};
}

void print_row(const std::string& name, const Durations& durations) {
  std::cout << "  " << std::left << std::setw(14) << name << std::right << std::fixed << std::setprecision(2)
            << std::setw(10) << durations.median() << std::setw(10) << durations.p99() << std::setw(10)
            << durations.max() << '\n';
}

/// Each stage again, without the others in between.
FrameTimes measure_alone(Callers& callers, int frames) {
  FrameTimes times;
  for (int i = 0; i < frames; ++i) times.encode.ms.push_back(callers.encode());
  for (int i = 0; i < frames; ++i) times.lm.ms.push_back(callers.step());
  for (int i = 0; i < frames; ++i) times.decode.ms.push_back(callers.decode());
  return times;
}

ordered_json measure(moshi::ExecutionContext& context, const BenchOptions& options, int batch,
                     double bandwidth, Progress& progress) {
  Callers callers(context, batch);
  const std::string title = "batch " + std::to_string(batch);
  FrameTimes ignored;
  for (int i = 0; i < kWarmUpFrames; ++i) callers.frame(ignored);
  // Each caller's language model gets its history; the codec's reach is short.
  for (int i = kWarmUpFrames; i < options.history; ++i) {
    callers.step();
    progress.show(title + ", filling history", static_cast<double>(i) / options.history);
  }
  const uint64_t allocations = context.stats().device_allocations;
  FrameTimes times;
  for (int i = 0; i < options.frames; ++i) {
    callers.frame(times);
    progress.show(title, static_cast<double>(i) / options.frames);
  }
  const moshi::ContextStats stats = context.stats();
  // The KV each caller's step reads joins the weights, which all callers share.
  const uint64_t positions =
      std::min<uint64_t>(static_cast<uint64_t>(kWarmUpFrames + options.history + options.frames / 2),
                         static_cast<uint64_t>(context.lm().context));
  const uint64_t bytes = stats.lm_step_bytes + static_cast<uint64_t>(batch) * positions * stats.kv_page_bytes;
  ordered_json result = {
      {"batch", batch},
      {"encode", to_json(times.encode)},
      {"lm", to_json(times.lm)},
      {"decode", to_json(times.decode)},
      {"frame", to_json(times.frame)},
      {"allocations", stats.device_allocations - allocations},
      {"bytes_per_step", bytes},
      {"bandwidth_fraction", static_cast<double>(bytes) / (times.lm.median() * 1e-3) / bandwidth}};
  FrameTimes alone;
  if (options.stages) {
    alone = measure_alone(callers, options.frames);
    result["alone"] = {
        {"encode", to_json(alone.encode)}, {"lm", to_json(alone.lm)}, {"decode", to_json(alone.decode)}};
  }
  progress.clear();
  if (!options.json) {
    std::cout << title << std::string(title.size() < 16 ? 16 - title.size() : 1, ' ')
              << "    median       p99       max  ms\n";
    print_row("encode", times.encode);
    print_row("LM step", times.lm);
    print_row("decode", times.decode);
    print_row("frame", times.frame);
    if (options.stages) {
      print_row("encode alone", alone.encode);
      print_row("LM alone", alone.lm);
      print_row("decode alone", alone.decode);
    }
    std::cout << "  allocations after warm-up " << result["allocations"] << ", "
              << static_cast<double>(bytes) / 1e6 << " MB read per step, "
              << 100 * result["bandwidth_fraction"].get<double>() << " % of the memory's bandwidth\n";
  }
  return result;
}

ordered_json memory_of(const moshi::ContextStats& stats) {
  return {{"codec_weights", stats.codec_weight_bytes},
          {"lm_weights", stats.lm_weight_bytes},
          {"encoder_slot", stats.encoder_slot_bytes},
          {"decoder_slot", stats.decoder_slot_bytes},
          {"kv_page", stats.kv_page_bytes}};
}

void run(const BenchOptions& options) {
  if (!options.random_weights.empty() && !options.model.empty()) {
    throw Failure(Status::Usage, "expected --model or --random-weights, found both");
  }
  const auto context = acquire_context(options, options.random_weights);
  const int limit = context->lm().context;
  if (limit > 0 && options.history > limit) {
    throw Failure(Status::Usage, "--context: expected at most " + std::to_string(limit) +
                                     " (this model's), found " + std::to_string(options.history));
  }
  Progress progress(options.quiet);
  context->load_codec(progress_handler(progress, "loading the codec"));
  context->load_lm({.precision = moshi::parse_precision(options.precision), .text = false},
                   progress_handler(progress, "loading the language model"));
  progress.clear();

  const double frame_ms = static_cast<double>(context->codec().frame_ns) * 1e-6;
  const double bandwidth = context->measure_bandwidth();
  ordered_json batches = ordered_json::array();
  int callers = 0;
  for (const int batch : options.batches) {
    batches.push_back(measure(*context, options, batch, bandwidth, progress));
    if (batches.back()["frame"]["p99_ms"] <= frame_ms) callers = std::max(callers, batch);
  }
  const moshi::ContextStats stats = context->stats();
  const ordered_json result = {
      {"model", context->model()},      {"device", stats.device},        {"device_name", stats.device_name},
      {"precision", stats.precision},   {"graphs", stats.graphs},        {"threads", options.threads},
      {"frames", options.frames},       {"context", options.history},    {"batches", batches},
      {"overflows", stats.overflows},   {"memory_bandwidth", bandwidth}, {"bytes", memory_of(stats)},
      {"callers_in_real_time", callers}};
  if (!options.json) {
    const auto megabytes = [](uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
    std::cout << "memory, MB: codec " << megabytes(stats.codec_weight_bytes) << ", language model "
              << megabytes(stats.lm_weight_bytes) << "; a caller "
              << megabytes(stats.encoder_slot_bytes + stats.decoder_slot_bytes) << " and a KV page "
              << std::setprecision(4) << megabytes(stats.kv_page_bytes) << '\n'
              << "callers that fit in " << std::setprecision(0) << frame_ms
              << " ms at p99, of those measured: " << callers << '\n';
  }
  print_result(result);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  auto* command = app.add_subcommand("bench", "Measure encode, LM step and decode; the last line is JSON");
  command->add_option("--batch", options->batches, "Callers at a time, separated by commas")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--frames", options->frames, "Frames to measure")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--context", options->history, "Positions of history to measure at")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command->add_option(
      "--random-weights", options->random_weights,
      "7b, personaplex or a config.json: published shapes with random weights, no files needed");
  command->add_flag("--stages", options->stages, "Also each stage by itself, without the others in between");
  add_common_options(*command, *options);
  command->footer(
      "Examples:\n"
      "  gst-moshi bench --model DIR\n"
      "  gst-moshi bench --random-weights 7b --batch 1,8,32 --context 1000");
  command->callback([options] { run(*options); });
}
