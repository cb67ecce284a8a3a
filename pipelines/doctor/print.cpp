// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "doctor/print.h"

#include <cmath>
#include <iomanip>
#include <sstream>

namespace doctor {
namespace {

using nlohmann::ordered_json;

std::string cuda_name(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

const char* name_of(ComputeMode mode) {
  switch (mode) {
    case ComputeMode::Prohibited:
      return "prohibited";
    case ComputeMode::Exclusive:
      return "exclusive";
    default:
      return "default";
  }
}

ordered_json to_json(const Gpu& gpu) {
  ordered_json processes = ordered_json::array();
  for (const Process& process : gpu.processes) {
    processes.push_back({{"pid", process.pid}, {"name", process.name}, {"mib", process.bytes >> 20}});
  }
  return {{"name", gpu.name},
          {"architecture", gpu.architecture},
          {"memory_bytes", gpu.memory_bytes},
          {"free_bytes", gpu.free_bytes},
          {"bandwidth", gpu.bandwidth},
          {"compute_mode", name_of(gpu.compute_mode)},
          {"mig", gpu.mig},
          {"mig_instances", gpu.mig_instances},
          {"persistence", gpu.persistence ? ordered_json(*gpu.persistence) : ordered_json()},
          {"processes", processes}};
}

ordered_json to_json(const moshi::DeviceInfo& device) {
  return {{"name", device.name},
          {"description", device.description},
          {"architecture", device.architecture},
          {"memory_bytes", device.memory_bytes},
          {"free_bytes", device.free_bytes},
          {"usable", device.usable},
          {"problem", device.problem}};
}

ordered_json to_json(const Machine& machine) {
  return {
      {"distribution", machine.distribution},
      {"wsl", machine.wsl},
      {"wsl_driver", machine.wsl_driver},
      {"wsl_device", machine.wsl_device},
      {"container", machine.container},
      {"pci_gpus", machine.pci_gpus},
      {"kernel_module", machine.kernel_module},
      {"device_files", machine.device_files},
      {"device_access", machine.device_access},
      {"memory_bytes", machine.memory_bytes},
      {"memory_limit", machine.memory_limit},
      {"visible_devices", machine.visible_devices ? ordered_json(*machine.visible_devices) : ordered_json()}};
}

ordered_json to_json(const Capacity& capacity) {
  return {{"precision", capacity.precision},
          {"frame_ms", capacity.frame_ms},
          {"callers", capacity.callers},
          {"real_time", capacity.callers > 0}};
}

ordered_json to_json(const Finding& finding) {
  ordered_json json = {{"severity", doctor::name_of(finding.severity)},
                       {"id", finding.id},
                       {"found", finding.found},
                       {"advice", finding.advice}};
  if (finding.gpu >= 0) json["gpu"] = finding.gpu;
  return json;
}

template <typename T>
ordered_json list_to_json(const std::vector<T>& values) {
  ordered_json list = ordered_json::array();
  for (const T& value : values) list.push_back(to_json(value));
  return list;
}

/// Lines of a name and a value.
class Lines {
 public:
  void add(const std::string& name, const std::string& value) {
    text_ << std::left << std::setw(16) << name << value << '\n';
  }
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

void add_software(const Facts& facts, Lines& lines) {
  const moshi::BuildInfo& build = facts.build;
  lines.add("gst-moshi", build.version + (build.cuda ? ", kernels for " + joined(build.architectures) : ""));
  std::string libtorch = build.libtorch + (build.cuda ? " for CUDA " + build.libtorch_cuda : ", CPU only");
  if (!build.libtorch_architectures.empty()) libtorch += ": " + joined(build.libtorch_architectures);
  lines.add("LibTorch", libtorch);
  if (build.cuda)
    lines.add("CUDA runtime", build.cuda_runtime.empty() ? "does not start" : build.cuda_runtime);
  const Driver& driver = facts.driver;
  lines.add("NVIDIA driver", !driver.version.empty()   ? driver.version + ", CUDA " + cuda_name(driver.cuda)
                             : !driver.problem.empty() ? driver.problem
                                                       : "none found");
  lines.add("WSL2", facts.machine.wsl == 2 ? "yes" : "no");
}

void add_gpu(size_t number, const Gpu& gpu, Lines& lines) {
  std::string text = gpu.name + ", " + gpu.architecture + ", " + gigabytes(gpu.free_bytes) + " of " +
                     gigabytes(gpu.memory_bytes) + " free";
  if (gpu.bandwidth > 0)
    text += ", " + std::to_string(std::lround(gpu.bandwidth * 1e-9)) + " GB/s by data sheet";
  if (gpu.compute_mode != ComputeMode::Default)
    text += ", compute mode " + std::string(name_of(gpu.compute_mode));
  if (gpu.mig) text += ", MIG";
  lines.add("GPU " + std::to_string(number), text);
}

void add_device(const moshi::DeviceInfo& device, Lines& lines) {
  lines.add(device.name, device.description + ", " + device.architecture + ", " +
                             gigabytes(device.free_bytes) + " of " + gigabytes(device.memory_bytes) +
                             " free" + (device.usable ? "" : "; not usable"));
}

void add_model(const ordered_json& model, Lines& lines) {
  if (model.contains("directory")) {
    std::ostringstream text;
    text << model["directory"].get<std::string>() << " (" << model["type"].get<std::string>() << ": "
         << model["lm_parameters"].get<double>() / 1e6 << " M parameters in "
         << model["lm_tensors"].get<uint64_t>() << " tensors, codec "
         << model["codec_parameters"].get<double>() / 1e6 << " M in "
         << model["codec_tensors"].get<uint64_t>() << ", " << model["text_pieces"].get<int>()
         << " text pieces)";
    lines.add("model", text.str());
  } else {
    lines.add("model", model["name"].get<std::string>());
  }
  if (model.contains("problem")) lines.add("", model["problem"].get<std::string>());
}

}  // namespace

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::Error:
      return "error";
    case Severity::Warning:
      return "warning";
    default:
      return "note";
  }
}

ordered_json to_json(const Report& report) {
  const Facts& facts = report.facts;
  const moshi::BuildInfo& build = facts.build;
  ordered_json json = {{"version", build.version},
                       {"libtorch", build.libtorch},
                       {"libtorch_cuda", build.libtorch_cuda},
                       {"libtorch_architectures", build.libtorch_architectures},
                       {"cuda", build.cuda},
                       {"cuda_runtime", build.cuda_runtime},
                       {"architectures", build.architectures},
                       {"driver", facts.driver.version},
                       {"driver_cuda", facts.driver.cuda == 0 ? "" : cuda_name(facts.driver.cuda)},
                       {"wsl2", facts.machine.wsl == 2},
                       {"machine", to_json(facts.machine)},
                       {"gpus", list_to_json(facts.driver.gpus)},
                       {"devices", list_to_json(facts.runtime.devices)},
                       {"missing_elements", facts.missing_elements},
                       {"model", report.model}};
  if (facts.measured) {
    json["capacity"] = to_json(capacity_of(*facts.measured));
    json["capacity"]["bandwidth"] = facts.measured->bandwidth;
  }
  if (!report.large.device.empty()) {
    json["moshi_7b"] = {{"device", report.large.device},
                        {"predicted", list_to_json(report.large.capacities)}};
  }
  json["findings"] = list_to_json(report.findings);
  json["usable"] = report.usable;
  json["verdict"] = report.verdict;
  return json;
}

std::string to_text(const Report& report) {
  const Facts& facts = report.facts;
  Lines lines;
  add_software(facts, lines);
  for (size_t i = 0; i < facts.driver.gpus.size(); ++i) add_gpu(i, facts.driver.gpus[i], lines);
  for (const moshi::DeviceInfo& device : facts.runtime.devices) add_device(device, lines);
  if (facts.missing_elements.empty()) lines.add("elements", "all found");
  add_model(report.model, lines);
  if (facts.measured && facts.measured->bandwidth > 0) {
    lines.add("bandwidth", std::to_string(std::lround(facts.measured->bandwidth * 1e-9)) +
                               " GB/s measured on " + facts.measured->device_name);
  }
  for (const Finding& finding : report.findings) {
    lines.add(name_of(finding.severity), finding.found);
    lines.add("", "-> " + finding.advice);
  }
  if (!report.large.device.empty()) {
    lines.add("Moshi 7B", "predicted on " + report.large.device + ": " + describe(report.large.capacities));
  }
  lines.add("verdict", report.verdict);
  return lines.text();
}

}  // namespace doctor
