// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "doctor/nvml.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <memory>

namespace doctor {
namespace {

// NVML's interface, as its documentation gives it: every function returns 0 or an error, and a device is a
// handle.
using Handle = void*;
constexpr int kDone = 0;
constexpr int kTooSmall = 7;
constexpr int kMemoryClock = 2;
constexpr auto kNotTold = static_cast<unsigned long long>(-1);

struct Memory {
  unsigned long long total = 0;
  unsigned long long free = 0;
  unsigned long long used = 0;
};

struct ProcessInfo {
  unsigned pid = 0;
  unsigned long long used = 0;
  unsigned instance = 0;
  unsigned compute_instance = 0;
};

class Library {
 public:
  Library() {
    // The second is where WSL2 keeps it.
    for (const char* name : {"libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"}) {
      if (handle_ == nullptr) handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    if (handle_ != nullptr) status_ = call("nvmlInit_v2");
  }
  ~Library() {
    if (handle_ == nullptr) return;
    if (status_ == kDone) call("nvmlShutdown");
    dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  [[nodiscard]] bool found() const { return handle_ != nullptr; }
  /// What it took to start.
  [[nodiscard]] int status() const { return status_; }

  /// Calls a function by name; an error, too, where this version has no such function.
  template <typename... Arguments>
  int call(const char* name, Arguments... arguments) const {
    using Function = int (*)(Arguments...);
    const auto function = reinterpret_cast<Function>(dlsym(handle_, name));
    return function == nullptr ? -1 : function(arguments...);
  }

  /// The text a function writes; "" where it does not.
  template <typename... Arguments>
  std::string text(const char* name, Arguments... arguments) const {
    std::array<char, 256> buffer{};
    const int status = call(name, arguments..., buffer.data(), static_cast<unsigned>(buffer.size() - 1));
    return status == kDone ? buffer.data() : "";
  }

  [[nodiscard]] std::string message(int status) const {
    using Function = const char* (*)(int);
    const auto function = reinterpret_cast<Function>(dlsym(handle_, "nvmlErrorString"));
    return function == nullptr ? "error " + std::to_string(status) : function(status);
  }

 private:
  void* handle_ = nullptr;
  int status_ = -1;
};

/// The file's name of a process that uses a GPU.
std::string process_name(const Library& library, unsigned pid) {
  std::string name = library.text("nvmlSystemGetProcessName", pid);
  if (name.empty()) std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  name = name.substr(0, name.find(' '));
  return name.substr(name.rfind('/') + 1);
}

std::vector<ProcessInfo> processes_of(const Library& library, const char* function, Handle device) {
  std::vector<ProcessInfo> found(64);
  auto count = static_cast<unsigned>(found.size());
  int status = library.call(function, device, &count, found.data());
  if (status == kTooSmall) {
    found.resize(count);
    status = library.call(function, device, &count, found.data());
  }
  found.resize(status == kDone ? std::min<size_t>(count, found.size()) : 0);
  return found;
}

/// Those that compute and those that draw, each once, without this one.
std::vector<Process> processes_of(const Library& library, Handle device) {
  std::map<unsigned, Process> all;
  for (const char* function :
       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v3"}) {
    for (const ProcessInfo& process : processes_of(library, function, device)) {
      const uint64_t bytes = process.used == kNotTold ? 0 : process.used;
      if (process.pid != static_cast<unsigned>(getpid())) {
        all[process.pid] = {process.pid, process_name(library, process.pid), bytes};
      }
    }
  }
  std::vector<Process> list;
  for (const auto& [pid, process] : all) list.push_back(process);
  return list;
}

/// Memory moves two words of its width a clock.
double bandwidth_of(const Library& library, Handle device) {
  unsigned megahertz = 0;
  unsigned bits = 0;
  if (library.call("nvmlDeviceGetMaxClockInfo", device, kMemoryClock, &megahertz) != kDone ||
      library.call("nvmlDeviceGetMemoryBusWidth", device, &bits) != kDone) {
    return 0;
  }
  return 2e6 * megahertz * bits / 8;
}

int mig_instances_of(const Library& library, Handle device) {
  unsigned most = 0;
  int found = 0;
  library.call("nvmlDeviceGetMaxMigDeviceCount", device, &most);
  for (unsigned i = 0; i < most; ++i) {
    Handle instance = nullptr;
    if (library.call("nvmlDeviceGetMigDeviceHandleByIndex", device, i, &instance) == kDone) ++found;
  }
  return found;
}

Gpu describe(const Library& library, Handle device) {
  Gpu gpu;
  gpu.name = library.text("nvmlDeviceGetName", device);
  int major = 0;
  int minor = 0;
  library.call("nvmlDeviceGetCudaComputeCapability", device, &major, &minor);
  gpu.architecture = "sm_" + std::to_string(major) + std::to_string(minor);
  Memory memory;
  library.call("nvmlDeviceGetMemoryInfo", device, &memory);
  gpu.memory_bytes = memory.total;
  gpu.free_bytes = memory.free;
  gpu.bandwidth = bandwidth_of(library, device);
  // 0: default; 2: prohibited; 1 and 3: exclusive, of a thread in old drivers, of a process.
  int mode = 0;
  library.call("nvmlDeviceGetComputeMode", device, &mode);
  gpu.compute_mode = mode == 0   ? ComputeMode::Default
                     : mode == 2 ? ComputeMode::Prohibited
                                 : ComputeMode::Exclusive;
  unsigned mig = 0;
  unsigned pending = 0;
  gpu.mig = library.call("nvmlDeviceGetMigMode", device, &mig, &pending) == kDone && mig == 1;
  if (gpu.mig) gpu.mig_instances = mig_instances_of(library, device);
  int persistence = 0;
  if (library.call("nvmlDeviceGetPersistenceMode", device, &persistence) == kDone) {
    gpu.persistence = persistence == 1;
  }
  gpu.processes = processes_of(library, device);
  return gpu;
}

}  // namespace

Driver ask_nvml() {
  const Library library;
  Driver driver;
  driver.library = library.found();
  if (!driver.library) return driver;
  if (library.status() != kDone) {
    driver.problem = library.message(library.status());
    return driver;
  }
  driver.version = library.text("nvmlSystemGetDriverVersion");
  library.call("nvmlSystemGetCudaDriverVersion_v2", &driver.cuda);
  unsigned count = 0;
  library.call("nvmlDeviceGetCount_v2", &count);
  for (unsigned i = 0; i < count; ++i) {
    Handle device = nullptr;
    const int status = library.call("nvmlDeviceGetHandleByIndex_v2", i, &device);
    if (status == kDone) {
      driver.gpus.push_back(describe(library, device));
    } else {
      driver.problem = library.message(status);
    }
  }
  return driver;
}

}  // namespace doctor
