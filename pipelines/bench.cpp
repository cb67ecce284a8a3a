// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi bench`: how long frames take, and how many callers fit.
#include <algorithm>
#include <chrono>
#include <functional>
#include <iomanip>
#include <iostream>
#include <optional>

#include "agreement.h"
#include "measure.h"
#include "options.h"
#include "report.h"

namespace {

using nlohmann::ordered_json;

struct BenchOptions : CommonOptions {
  std::vector<int> batches = {1};
  int frames = 100;
  std::optional<int> history;
  bool stages = false;
  std::string random_weights;
  std::string trace;
  int agreement = 0;
};

constexpr int kWarmUpFrames = 5;
/// Until a GPU that was idle has its full clock.
constexpr std::chrono::milliseconds kWarmUpTime{300};
/// How many positions conversations grow, within a page of 64, before they go back to the history asked for.
constexpr int kSpan = 63;
constexpr int kTracedFrames = 3;

ordered_json to_json(const Samples& durations) {
  return {{"median_ms", durations.median()}, {"p99_ms", durations.p99()}, {"max_ms", durations.max()}};
}

void print_row(const std::string& name, const Samples& durations) {
  std::cout << "  " << std::left << std::setw(14) << name << std::right << std::fixed << std::setprecision(2)
            << std::setw(10) << durations.median() << std::setw(10) << durations.p99() << std::setw(10)
            << durations.max() << '\n';
}

template <typename Number>
double megabytes(Number bytes) {
  return static_cast<double>(bytes) / 1e6;
}

/// Frames until code is loaded, graphs are captured and clocks are up.
void warm_up(Callers& callers) {
  const auto end = std::chrono::steady_clock::now() + kWarmUpTime;
  FrameTimes ignored;
  for (int i = 0; i < kWarmUpFrames || std::chrono::steady_clock::now() < end; ++i) callers.frame(ignored);
}

/// Each stage again, without the others in between.
FrameTimes measure_alone(Callers& callers, int frames) {
  FrameTimes times;
  for (int i = 0; i < frames; ++i) times.encode.values.push_back(callers.encode());
  for (int i = 0; i < frames; ++i) {
    callers.stay_near();
    times.lm.values.push_back(callers.step());
  }
  for (int i = 0; i < frames; ++i) times.decode.values.push_back(callers.decode());
  return times;
}

/// Bytes of the device's memory by what they hold, with `batch` callers.
ordered_json memory_in_use(const moshi::ContextStats& stats, int batch) {
  const auto weights = static_cast<int64_t>(stats.codec_weight_bytes + stats.lm_weight_bytes);
  const auto slots = batch * static_cast<int64_t>(stats.encoder_slot_bytes + stats.decoder_slot_bytes);
  const auto kv = static_cast<int64_t>(stats.kv_bytes);
  const auto used = static_cast<int64_t>(stats.memory_used_bytes);
  return {{"used", used},
          {"weights", weights},
          {"slots", slots},
          {"kv", kv},
          {"other", used - weights - slots - kv},
          {"of_other_spare", stats.spare_bytes}};
}

/// Lets the conversations of `batch` callers grow to `positions` once: later ones find the memory there.
void take_memory(moshi::ExecutionContext& context, int batch, int positions) {
  const int limit = context.lm().context;
  Callers longest(context, batch, (limit > 0 ? std::min(limit, positions) : positions) - 1, 0);
  longest.step();
}

void print_batch(const ordered_json& result, const std::string& title, const FrameTimes& times,
                 const FrameTimes& alone) {
  std::cout << title << std::string(title.size() < 16 ? 16 - title.size() : 1, ' ')
            << "    median       p99       max  ms\n";
  print_row("encode", times.encode);
  print_row("LM step", times.lm);
  print_row("decode", times.decode);
  print_row("frame", times.frame);
  if (!alone.lm.values.empty()) {
    print_row("encode alone", alone.encode);
    print_row("LM alone", alone.lm);
    print_row("decode alone", alone.decode);
  }
  const ordered_json& memory = result["memory"];
  std::cout << "  after warm-up " << result["allocations"] << " allocations and " << result["captures"]
            << " captures; " << megabytes(result["bytes_per_step"].get<int64_t>()) << " MB read per step, "
            << 100 * result["bandwidth_fraction"].get<double>() << " % of the memory's bandwidth\n"
            << "  memory in use, MB: " << megabytes(memory["used"].get<int64_t>()) << " (weights "
            << megabytes(memory["weights"].get<int64_t>()) << ", callers' codec state "
            << megabytes(memory["slots"].get<int64_t>()) << ", KV " << megabytes(memory["kv"].get<int64_t>())
            << ", other " << megabytes(memory["other"].get<int64_t>()) << ")\n";
}

ordered_json measure(moshi::ExecutionContext& context, const BenchOptions& options, int batch,
                     double bandwidth, Progress& progress) {
  const std::string title = "batch " + std::to_string(batch);
  const int history = options.history.value_or(0);
  const int span = options.history && history != context.lm().context ? kSpan : 0;
  take_memory(context, batch, history + (span > 0 ? span : options.frames + 1));
  Callers callers(context, batch, history, span);
  warm_up(callers);
  callers.restart();
  const moshi::ContextStats before = context.stats();
  FrameTimes times;
  double positions = 0;
  for (int i = 0; i < options.frames; ++i) {
    positions += callers.positions();
    callers.frame(times);
    progress.show(title, static_cast<double>(i) / options.frames);
  }
  const moshi::ContextStats stats = context.stats();
  positions /= options.frames;
  // The KV each caller's step reads joins the weights, which all callers share.
  const double bytes =
      static_cast<double>(stats.lm_step_bytes) + batch * positions * static_cast<double>(stats.kv_page_bytes);
  ordered_json result = {{"batch", batch},
                         {"encode", to_json(times.encode)},
                         {"lm", to_json(times.lm)},
                         {"decode", to_json(times.decode)},
                         {"frame", to_json(times.frame)},
                         {"allocations", stats.device_allocations - before.device_allocations},
                         {"captures", stats.graph_captures - before.graph_captures},
                         {"positions", positions},
                         {"bytes_per_step", static_cast<int64_t>(bytes)},
                         {"bandwidth_fraction", bytes / (times.lm.median() * 1e-3) / bandwidth},
                         {"memory", memory_in_use(stats, batch)}};
  FrameTimes alone;
  if (options.stages) {
    alone = measure_alone(callers, options.frames);
    result["alone"] = {
        {"encode", to_json(alone.encode)}, {"lm", to_json(alone.lm)}, {"decode", to_json(alone.decode)}};
  }
  if (!options.trace.empty() && batch == options.batches.back()) {
    context.trace(options.trace, [&] {
      FrameTimes ignored;
      for (int i = 0; i < kTracedFrames; ++i) callers.frame(ignored);
    });
  }
  progress.clear();
  if (!options.json) print_batch(result, title, times, alone);
  return result;
}

ordered_json memory_of(const moshi::ContextStats& stats) {
  return {{"codec_weights", stats.codec_weight_bytes},
          {"lm_weights", stats.lm_weight_bytes},
          {"encoder_slot", stats.encoder_slot_bytes},
          {"decoder_slot", stats.decoder_slot_bytes},
          {"kv_position", stats.kv_page_bytes}};
}

/// The choices of `context` beside those of the same model in the device's full precision.
ordered_json measure_agreement(moshi::ExecutionContext& context, const BenchOptions& options,
                               Progress& progress) {
  const bool cpu = context.stats().device == "cpu";
  const auto exact = acquire_context(options, options.random_weights, "exact");
  exact->load_lm({.precision = cpu ? moshi::Precision::F32 : moshi::Precision::BF16, .text = false},
                 progress_handler(progress, "loading for --agreement"));
  ordered_json agreement = compare_choices(*exact, context, options.agreement);
  progress.clear();
  return agreement;
}

void run(const BenchOptions& options) {
  if (!options.random_weights.empty() && !options.model.empty()) {
    throw Failure(Status::Usage, "expected --model or --random-weights, found both");
  }
  const auto context = acquire_context(options, options.random_weights);
  const int limit = context->lm().context;
  if (limit > 0 && options.history.value_or(0) > limit) {
    throw Failure(Status::Usage, "--context: expected at most " + std::to_string(limit) +
                                     " (this model's), found " + std::to_string(*options.history));
  }
  Progress progress(options.quiet);
  const auto seconds = [](const std::function<void()>& load) {
    const auto start = std::chrono::steady_clock::now();
    load();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const double codec_seconds =
      seconds([&] { context->load_codec(progress_handler(progress, "loading the codec")); });
  const double lm_seconds = seconds([&] {
    context->load_lm(lm_options(options), progress_handler(progress, "loading the language model"));
  });
  progress.clear();

  const ordered_json agreement =
      options.agreement > 0 ? measure_agreement(*context, options, progress) : ordered_json();
  const double frame_ms = static_cast<double>(context->codec().frame_ns) * 1e-6;
  const double bandwidth = context->measure_bandwidth();
  ordered_json batches = ordered_json::array();
  int callers = 0;
  for (const int batch : options.batches) {
    batches.push_back(measure(*context, options, batch, bandwidth, progress));
    if (batches.back()["frame"]["p99_ms"] <= frame_ms) callers = std::max(callers, batch);
  }
  const moshi::ContextStats stats = context->stats();
  ordered_json result = {{"model", context->model()},
                         {"device", stats.device},
                         {"device_name", stats.device_name},
                         {"precision", stats.precision},
                         {"kv_precision", stats.kv_precision},
                         {"graphs", stats.graphs},
                         {"threads", options.threads},
                         {"frames", options.frames},
                         {"context", nullptr},
                         {"context_limit", limit},
                         {"frame_ms", frame_ms},
                         {"load_seconds", {{"codec", codec_seconds}, {"lm", lm_seconds}}},
                         {"batches", batches},
                         {"overflows", stats.overflows},
                         {"memory_bandwidth", bandwidth},
                         {"bytes", memory_of(stats)},
                         {"callers_in_real_time", callers}};
  if (options.agreement > 0) result["agreement"] = agreement;
  if (options.history) result["context"] = *options.history;
  if (!options.json) {
    for (const char* kind : {"text", "audio"}) {
      if (options.agreement == 0) break;
      std::cout << kind << ": " << 100 * agreement[kind]["same"].get<double>() << " % of "
                << agreement[kind]["count"] << " likeliest tokens are the same in "
                << agreement["precisions"][0].get<std::string>() << '\n';
    }
    std::cout << "loaded in " << codec_seconds + lm_seconds << " s; memory reads " << bandwidth / 1e9
              << " GB/s\nMB: codec " << megabytes(stats.codec_weight_bytes) << ", language model "
              << megabytes(stats.lm_weight_bytes) << "; a caller's codec state "
              << megabytes(stats.encoder_slot_bytes + stats.decoder_slot_bytes) << ", a position of its KV "
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
  command
      ->add_option(
          "--context", options->history,
          "Positions of history to measure at, or up to 62 more (default: conversations grow from 0)")
      ->check(CLI::Range(0, 1'000'000));
  command->add_option(
      "--random-weights", options->random_weights,
      "7b, personaplex or a config.json: published shapes with random weights, no files needed");
  command->add_flag("--stages", options->stages, "Also each stage by itself, without the others in between");
  command
      ->add_option("--trace", options->trace,
                   "Chrome trace to write of a few frames of the last batch size, with all kernels")
      ->type_name("FILE");
  command
      ->add_option(
          "--agreement", options->agreement,
          "Frames of a conversation over which to compare the likeliest tokens with those of full precision "
          "(bf16 on CUDA, f32 on the CPU)")
      ->check(CLI::Range(1, 100'000));
  add_common_options(*command, *options);
  command->footer(
      "Examples:\n"
      "  gst-moshi bench --model DIR\n"
      "  gst-moshi bench --random-weights 7b --batch 1,8,32 --context 1000\n"
      "  gst-moshi bench --model DIR --trace trace.json");
  command->callback([options] { run(*options); });
}
