// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi doctor`: what this machine, this build and this model can do together.
#include <algorithm>
#include <iostream>

#include "doctor/print.h"
#include "doctor/source.h"
#include "measure.h"
#include "options.h"
#include "report.h"

namespace {

using nlohmann::ordered_json;

constexpr int kWarmUpFrames = 3;
constexpr int kMeasuredFrames = 25;

struct DoctorOptions : CommonOptions {
  bool files = false;
};

/// What the model's files hold; throws Failure for the first thing wrong with them.
void examine_files(const CommonOptions& options, ordered_json& report) {
  const moshi::ModelReport model = moshi::check_model(options.model);
  report["directory"] = model.directory;
  report["type"] = model.model_type;
  report["lm_tensors"] = model.lm_tensors;
  report["lm_parameters"] = model.lm_parameters;
  report["codec_tensors"] = model.codec_tensors;
  report["codec_parameters"] = model.codec_parameters;
  report["text_pieces"] = model.text_pieces;
  if (!model.problems.empty()) throw Failure(Status::BadFile, model.problems.front());
}

/// Loads the model and times a few frames of one caller.
FrameTimes measure_frames(moshi::ExecutionContext& context, const CommonOptions& options,
                          Progress& progress) {
  context.load_codec(progress_handler(progress, "loading the codec"));
  context.load_lm(lm_options(options), progress_handler(progress, "loading the language model"));
  Callers caller(context, 1);
  FrameTimes times;
  for (int i = 0; i < kWarmUpFrames; ++i) caller.frame(times);
  times = {};
  for (int i = 0; i < kMeasuredFrames; ++i) caller.frame(times);
  return times;
}

/// Conversations of full length that the device has memory for, the measured one among them.
int callers_in_memory(const moshi::ContextStats& stats, const moshi::LmInfo& lm) {
  const uint64_t one = stats.kv_page_bytes * static_cast<uint64_t>(lm.context) + stats.encoder_slot_bytes +
                       stats.decoder_slot_bytes;
  for (const moshi::DeviceInfo& device : moshi::list_devices()) {
    if (device.name == stats.device && one > 0) {
      return 1 + static_cast<int>((device.free_bytes + stats.spare_bytes) / one);
    }
  }
  return 1;
}

doctor::Measurement measure(moshi::ExecutionContext& context, const CommonOptions& options,
                            Progress& progress) {
  const FrameTimes times = measure_frames(context, options, progress);
  const moshi::ContextStats stats = context.stats();
  return {.device = stats.device,
          .device_name = stats.device_name,
          .precision = stats.precision,
          .median_ms = times.frame.median(),
          .p99_ms = times.frame.p99(),
          .max_ms = times.frame.max(),
          .budget_ms = static_cast<double>(context.codec().frame_ns) * 1e-6,
          .callers_in_memory = callers_in_memory(stats, context.lm()),
          .bandwidth = stats.device == "cpu" ? 0 : context.measure_bandwidth()};
}

/// Measures the model; what goes wrong is written into the report, and is its status.
Status examine_model(const DoctorOptions& options, doctor::Report& report) {
  ordered_json& model = report.model;
  model = {{"name", options.model.empty() ? "(embedded)" : options.model}};
  Progress progress(options.quiet);
  Status status = Status::Done;
  try {
    const auto context = acquire_context(options);
    examine_files(options, model);
    if (options.files) {
      report.verdict = "the model's files are sound; nothing was loaded or measured";
      return status;
    }
    const doctor::Measurement measured = measure(*context, options, progress);
    model["device"] = measured.device;
    model["precision"] = measured.precision;
    model["frame_ms"] = {{"median", measured.median_ms}, {"p99", measured.p99_ms}, {"max", measured.max_ms}};
    report.verdict = doctor::verdict_of(measured);
    report.facts.measured = measured;
  } catch (const moshi::Error& error) {
    model["problem"] = error.what();
    status = status_of(error.code());
  } catch (const Failure& failure) {
    model["problem"] = failure.what();
    status = failure.status();
  }
  progress.clear();
  if (status == Status::Done) return status;
  report.verdict = "this model cannot run here";
  if (options.model.empty() && !model.contains("directory") && status != Status::NoDevice) {
    report.verdict = "nothing was measured; name a model with --model to try it";
    return Status::Done;
  }
  return status;
}

Status run(const DoctorOptions& options) {
  doctor::Report report;
  report.facts = doctor::probe(doctor::ThisMachine());
  Status status = examine_model(options, report);
  report.findings = doctor::diagnose(report.facts);
  report.large = doctor::predict(report.facts, report.findings);
  const auto& devices = report.facts.runtime.devices;
  if (std::none_of(devices.begin(), devices.end(), [](const auto& device) { return device.usable; })) {
    status = Status::NoDevice;
    report.verdict = "no usable device";
  }
  report.usable = status == Status::Done;
  if (options.json) {
    print_result(doctor::to_json(report));
  } else {
    std::cout << doctor::to_text(report);
  }
  return status;
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto options = std::make_shared<DoctorOptions>();
  auto* command =
      app.add_subcommand("doctor", "Say what this machine, this build and a model can do together");
  command->add_flag("--files", options->files,
                    "Of the model, check the files alone: load and measure nothing");
  add_common_options(*command, *options);
  command->footer(
      "Example:\n  gst-moshi doctor --model kyutai/moshiko-pytorch-bf16\n"
      "Exit status 4: no device can be used. docs/gpus.md says more of cards and drivers.");
  command->callback([options] {
    const Status status = run(*options);
    // The report has been printed; only the exit status is left to say.
    if (status != Status::Done) throw CLI::RuntimeError(static_cast<int>(status));
  });
}
