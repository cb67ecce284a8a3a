// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Facts from a source.
#include <algorithm>
#include <cstdlib>
#include <regex>
#include <string_view>

#include "doctor/source.h"

namespace doctor {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// The value of "NAME=value", in quotes or not, in a file like /etc/os-release.
std::string value_of(const std::string& text, const std::string& name) {
  const size_t start = ("\n" + text).find("\n" + name + "=");
  if (start == std::string::npos) return "";
  std::string value = first_line(text.substr(start + name.size() + 1));
  std::erase(value, '"');
  return value;
}

/// The version in "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build ...".
std::string module_version(const std::string& text) {
  static const std::regex version(R"( ([0-9]+\.[0-9.]+) )");
  std::smatch match;
  return std::regex_search(text, match, version) ? match[1].str() : "";
}

int wsl_version(const std::string& kernel) {
  if (kernel.find("WSL2") != std::string::npos || kernel.find("microsoft-standard") != std::string::npos) {
    return 2;
  }
  return kernel.find("Microsoft") != std::string::npos ? 1 : 0;
}

bool in_container(const Source& source) {
  return source.exists("/.dockerenv") || source.exists("/run/.containerenv") ||
         source.environment("container").has_value() ||
         source.environment("KUBERNETES_SERVICE_HOST").has_value();
}

int pci_gpus(const Source& source) {
  const std::string bus = "/sys/bus/pci/devices/";
  int found = 0;
  for (const std::string& name : source.list(bus)) {
    const std::string vendor = source.read(bus + name + "/vendor").value_or("");
    const std::string kind = source.read(bus + name + "/class").value_or("");
    if (vendor.starts_with("0x10de") && kind.starts_with("0x03")) ++found;
  }
  return found;
}

/// Finds the files through which programs reach the driver.
void find_device_files(const Source& source, Machine& machine) {
  const std::string control = "/dev/nvidiactl";
  for (const std::string& name : source.list("/dev")) {
    const bool numbered = name.starts_with("nvidia") && name.size() > 6 &&
                          name.find_first_not_of("0123456789", 6) == std::string::npos;
    if (!numbered || !source.exists(control)) continue;
    machine.device_files = true;
    if (source.accessible(control) && source.accessible("/dev/" + name)) machine.device_access = true;
  }
}

uint64_t total_memory(const Source& source) {
  const std::string text = source.read("/proc/meminfo").value_or("");
  const std::string_view field = "MemTotal:";
  const size_t start = text.find(field);
  return start == std::string::npos ? 0
                                    : 1024 * std::strtoull(text.c_str() + start + field.size(), nullptr, 10);
}

Machine probe_machine(const Source& source) {
  Machine machine;
  machine.distribution = value_of(source.read("/etc/os-release").value_or(""), "ID");
  machine.wsl = wsl_version(source.read("/proc/sys/kernel/osrelease").value_or(""));
  machine.wsl_driver = source.exists("/usr/lib/wsl/lib/libcuda.so.1");
  machine.wsl_device = source.exists("/dev/dxg");
  machine.container = in_container(source);
  machine.pci_gpus = pci_gpus(source);
  machine.kernel_module = module_version(source.read("/proc/driver/nvidia/version").value_or(""));
  machine.nouveau = source.exists("/sys/module/nouveau");
  for (const char* place : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"}) {
    machine.cuda_library |= source.exists(std::string(place) + "/libcuda.so.1");
  }
  find_device_files(source, machine);
  machine.memory_bytes = total_memory(source);
  // "max" is no number: 0.
  machine.memory_limit =
      std::strtoull(source.read("/sys/fs/cgroup/memory.max").value_or("").c_str(), nullptr, 10);
  machine.visible_devices = source.environment("CUDA_VISIBLE_DEVICES");
  for (const auto& [name, value] :
       {std::pair("CUDA_LAUNCH_BLOCKING", "1"), std::pair("MOSHI_CUDA_GRAPHS", "0")}) {
    if (source.environment(name) == value) machine.slow_settings.push_back(std::string(name) + "=" + value);
  }
  return machine;
}

/// Where the driver's library is missing and CUDA works all the same, CUDA says less.
std::vector<Gpu> gpus_of(const Runtime& runtime) {
  std::vector<Gpu> gpus;
  for (const moshi::DeviceInfo& device : runtime.devices) {
    if (!device.name.starts_with("cuda")) continue;
    Gpu gpu;
    gpu.name = device.description;
    gpu.architecture = device.architecture;
    gpu.memory_bytes = device.memory_bytes;
    gpu.free_bytes = device.free_bytes;
    gpus.push_back(gpu);
  }
  return gpus;
}

}  // namespace

Facts probe(const Source& source) {
  Facts facts;
  facts.machine = probe_machine(source);
  facts.driver = source.driver();  // Before the runtime, which takes memory of each device.
  facts.runtime = source.runtime();
  facts.build = source.build();
  facts.missing_elements = source.missing_elements();
  if (facts.driver.gpus.empty()) facts.driver.gpus = gpus_of(facts.runtime);
  return facts;
}

}  // namespace doctor
