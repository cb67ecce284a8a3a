// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "recorded.h"

#include <algorithm>
#include <sstream>

namespace doctor {
namespace {

using nlohmann::json;

/// "sm_75 sm_80": two words.
std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) found.push_back(word);
  return found;
}

uint64_t gigabytes_at(const json& record, const char* key, double otherwise) {
  return static_cast<uint64_t>(record.value(key, otherwise) * 1e9);
}

Gpu gpu_of(const json& record) {
  Gpu gpu;
  gpu.name = record.at("name");
  gpu.architecture = record.at("architecture");
  gpu.memory_bytes = gigabytes_at(record, "memory", 24);
  gpu.free_bytes = gigabytes_at(record, "free", record.value("memory", 24.0) - 0.4);
  gpu.bandwidth = record.value("bandwidth", 1008.0) * 1e9;
  const std::string mode = record.value("mode", "default");
  gpu.compute_mode = mode == "default"     ? ComputeMode::Default
                     : mode == "exclusive" ? ComputeMode::Exclusive
                                           : ComputeMode::Prohibited;
  gpu.mig = record.value("mig", false);
  gpu.mig_instances = record.value("mig_instances", 0);
  gpu.persistence = record.value("persistence", true);
  for (const json& process : record.value("processes", json::array())) {
    gpu.processes.push_back({process.at("pid"), process.at("name"), gigabytes_at(process, "memory", 0)});
  }
  return gpu;
}

}  // namespace

std::optional<std::string> RecordedMachine::read(const std::string& path) const {
  const json& files = record_.at("files");
  return files.contains(path) ? std::optional<std::string>(files.at(path)) : std::nullopt;
}

std::vector<std::string> RecordedMachine::list(const std::string& directory) const {
  const std::string start = directory.ends_with('/') ? directory : directory + "/";
  std::vector<std::string> names;
  for (const auto& [path, text] : record_.at("files").items()) {
    if (!path.starts_with(start)) continue;
    const std::string name = path.substr(start.size(), path.find('/', start.size()) - start.size());
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

bool RecordedMachine::exists(const std::string& path) const { return record_.at("files").contains(path); }

bool RecordedMachine::accessible(const std::string& path) const {
  return exists(path) && record_.at("files").at(path) != "forbidden";
}

std::optional<std::string> RecordedMachine::environment(const std::string& name) const {
  const json& variables = record_.at("environment");
  return variables.contains(name) ? std::optional<std::string>(variables.at(name)) : std::nullopt;
}

Driver RecordedMachine::driver() const {
  const json& record = record_.at("driver");
  Driver driver;
  driver.library = record.value("library", true);
  driver.problem = record.value("problem", "");
  driver.version = record.value("version", "");
  driver.cuda = record.value("cuda", 0);
  for (const json& gpu : record.value("gpus", json::array())) driver.gpus.push_back(gpu_of(gpu));
  return driver;
}

/// As list_devices() makes it of what CUDA shows: "shown" of the driver's GPUs, all by default.
Runtime RecordedMachine::runtime() const {
  Runtime runtime;
  const std::vector<Gpu> gpus = driver().gpus;
  runtime.problem = record_.value("cuda_problem", "");
  const bool none = !build().cuda || !runtime.problem.empty();
  const size_t shown = none ? 0 : std::min(record_.value("cuda_shown", gpus.size()), gpus.size());
  for (size_t i = 0; i < shown; ++i) {
    moshi::DeviceInfo device;
    device.name = "cuda:" + std::to_string(i);
    device.description = gpus[i].name;
    device.architecture = gpus[i].architecture;
    device.memory_bytes = gpus[i].memory_bytes;
    device.free_bytes = gpus[i].free_bytes;
    device.problem = moshi::architecture_problem(gpus[i].name, gpus[i].architecture, build());
    device.usable = device.problem.empty();
    runtime.devices.push_back(device);
  }
  moshi::DeviceInfo cpu;
  cpu.name = "cpu";
  cpu.description = "a processor";
  cpu.architecture = "AVX2";
  runtime.devices.push_back(cpu);
  return runtime;
}

moshi::BuildInfo RecordedMachine::build() const {
  const json& record = record_.at("build");
  moshi::BuildInfo build;
  build.version = "0.1.0";
  build.libtorch = record.at("libtorch");
  build.cuda = record.at("cuda");
  if (!build.cuda) return build;
  build.libtorch_cuda = record.at("libtorch_cuda");
  build.libtorch_architectures = words(record.at("libtorch_architectures"));
  build.architectures = words(record.at("architectures"));
  build.cuda_runtime = build.libtorch_architectures.empty() ? "" : build.libtorch_cuda;
  return build;
}

std::vector<std::string> RecordedMachine::missing_elements() const {
  return words(record_.value("missing_elements", ""));
}

std::optional<Measurement> RecordedMachine::measured() const {
  if (!record_.contains("measured")) return std::nullopt;
  const json& record = record_.at("measured");
  return Measurement{.device = record.at("device"),
                     .device_name = record.at("device_name"),
                     .precision = record.at("precision"),
                     .median_ms = record.at("p99_ms"),
                     .p99_ms = record.at("p99_ms"),
                     .max_ms = record.at("p99_ms"),
                     .budget_ms = 80,
                     .callers_in_memory = record.value("callers_in_memory", 1000),
                     .bandwidth = record.value("bandwidth", 0.0) * 1e9};
}

}  // namespace doctor
