// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi doctor`: what this machine, this build and this model can do together.
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "measure.h"
#include "options.h"
#include "pipeline.h"
#include "report.h"

namespace {

using nlohmann::ordered_json;

constexpr int kWarmUpFrames = 3;
constexpr int kMeasuredFrames = 25;

struct DoctorOptions : CommonOptions {
  bool files = false;
};

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The kernel module's line, or "" where there is none.
std::string nvidia_driver() { return first_line("/proc/driver/nvidia/version"); }

bool is_wsl2() { return first_line("/proc/sys/kernel/osrelease").find("microsoft") != std::string::npos; }

std::vector<std::string> missing_elements() {
  gst_init(nullptr, nullptr);
  find_own_plugin();
  std::vector<std::string> missing;
  for (const char* name : {"mimienc", "moshilm", "mimidec"}) {
    if (GstElementFactory* factory = gst_element_factory_find(name)) {
      gst_object_unref(factory);
    } else {
      missing.emplace_back(name);
    }
  }
  return missing;
}

ordered_json describe_devices(const std::vector<moshi::DeviceInfo>& devices) {
  ordered_json list = ordered_json::array();
  for (const moshi::DeviceInfo& device : devices) {
    list.push_back({{"name", device.name},
                    {"description", device.description},
                    {"architecture", device.architecture},
                    {"memory_bytes", device.memory_bytes},
                    {"free_bytes", device.free_bytes},
                    {"usable", device.usable},
                    {"problem", device.problem}});
  }
  return list;
}

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

std::string verdict_of(double frame_ms, double budget_ms, const std::string& device) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1);
  if (frame_ms <= budget_ms) {
    text << "ready for live use: " << frame_ms << " ms of " << budget_ms << " ms a frame on " << device;
  } else {
    text << "ready for files, too slow for live use: " << frame_ms << " ms for a frame of " << budget_ms
         << " ms on " << device << "; take a GPU or a smaller model";
  }
  return text.str();
}

/// The model's part of the report; what goes wrong is written into it.
ordered_json examine_model(const DoctorOptions& options, Status& status, std::string& verdict) {
  ordered_json report = {{"name", options.model.empty() ? "(embedded)" : options.model}};
  Progress progress(options.quiet);
  try {
    const auto context = acquire_context(options);
    examine_files(options, report);
    if (options.files) {
      verdict = "the model's files are sound; nothing was loaded or measured";
      return report;
    }
    const FrameTimes times = measure_frames(*context, options, progress);
    const moshi::ContextStats stats = context->stats();
    report["device"] = stats.device;
    report["precision"] = stats.precision;
    report["frame_ms"] = {
        {"median", times.frame.median()}, {"p99", times.frame.p99()}, {"max", times.frame.max()}};
    verdict = verdict_of(times.frame.p99(), static_cast<double>(context->codec().frame_ns) * 1e-6,
                         stats.device_name);
  } catch (const moshi::Error& error) {
    report["problem"] = error.what();
    status = status_of(error.code());
  } catch (const Failure& failure) {
    report["problem"] = failure.what();
    status = failure.status();
  }
  progress.clear();
  if (options.model.empty() && !report.contains("directory")) {
    status = Status::Done;
    verdict = "nothing wrong with this machine; name a model with --model to try it";
  } else if (status != Status::Done) {
    verdict = "this model cannot run here";
  }
  return report;
}

void print_report(const ordered_json& report) {
  const auto line = [](const std::string& name, const std::string& value) {
    std::cout << std::left << std::setw(16) << name << value << '\n';
  };
  line("gst-moshi", report["version"]);
  std::string architectures;
  for (const auto& name : report["architectures"]) architectures += " " + name.get<std::string>();
  line("LibTorch", report["libtorch"].get<std::string>() +
                       (report["cuda"].get<bool>() ? ", with CUDA for" + architectures : ", CPU only"));
  line("NVIDIA driver",
       report["driver"].get<std::string>().empty() ? "none found" : report["driver"].get<std::string>());
  line("WSL2", report["wsl2"].get<bool>() ? "yes" : "no");
  for (const auto& device : report["devices"]) {
    std::ostringstream text;
    text << device["description"].get<std::string>() << ", " << device["architecture"].get<std::string>()
         << ", " << device["free_bytes"].get<uint64_t>() / 1'000'000 << " of "
         << device["memory_bytes"].get<uint64_t>() / 1'000'000 << " MB free";
    if (!device["usable"].get<bool>()) text << "; not usable: " << device["problem"].get<std::string>();
    line(device["name"], text.str());
  }
  std::string missing;
  for (const auto& name : report["missing_elements"]) missing += " " + name.get<std::string>();
  line("elements", missing.empty() ? "all found" : "not found:" + missing + "; set GST_PLUGIN_PATH");
  const auto& model = report["model"];
  if (model.contains("directory")) {
    std::ostringstream text;
    text << model["directory"].get<std::string>() << " (" << model["type"].get<std::string>() << ": "
         << model["lm_parameters"].get<double>() / 1e6 << " M parameters in "
         << model["lm_tensors"].get<uint64_t>() << " tensors, codec "
         << model["codec_parameters"].get<double>() / 1e6 << " M in "
         << model["codec_tensors"].get<uint64_t>() << ", " << model["text_pieces"].get<int>()
         << " text pieces)";
    line("model", text.str());
  } else {
    line("model", model["name"]);
  }
  if (model.contains("problem")) line("", model["problem"]);
  line("verdict", report["verdict"]);
}

Status run(const DoctorOptions& options) {
  const moshi::BuildInfo build = moshi::build_info();
  const auto devices = moshi::list_devices();
  Status status = Status::Done;
  std::string verdict;
  ordered_json report = {{"version", build.version},
                         {"libtorch", build.libtorch},
                         {"cuda", build.cuda},
                         {"architectures", build.architectures},
                         {"driver", nvidia_driver()},
                         {"wsl2", is_wsl2()},
                         {"devices", describe_devices(devices)},
                         {"missing_elements", missing_elements()},
                         {"model", examine_model(options, status, verdict)}};
  if (std::none_of(devices.begin(), devices.end(), [](const auto& device) { return device.usable; })) {
    status = Status::NoDevice;
    verdict = "no usable device";
  }
  report["usable"] = status == Status::Done;
  report["verdict"] = verdict;
  if (options.json) {
    print_result(report);
  } else {
    print_report(report);
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
  command->footer("Example:\n  gst-moshi doctor --model kyutai/moshiko-pytorch-bf16");
  command->callback([options] {
    const Status status = run(*options);
    // The report has been printed; only the exit status is left to say.
    if (status != Status::Done) throw CLI::RuntimeError(static_cast<int>(status));
  });
}
