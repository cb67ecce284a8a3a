// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/device.h"

#include <ATen/ATen.h>
#include <c10/core/AllocatorConfig.h>
#include <torch/csrc/api/include/torch/version.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <new>
#include <sstream>

#include "moshi/moshi.h"
#include "nn/memory.h"
#include "runtime/advice.h"
#ifdef MOSHI_CUDA
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>

#include "cuda/bandwidth.h"
#include "cuda/devices.h"
#include "cuda/graph.h"
#include "cuda/tokens/sampling.h"
#endif

namespace moshi {
namespace {

/// A field of a /proc file: "MemAvailable", "model name".
std::string proc_field(const char* path, const std::string& field) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const auto colon = line.find(':');
    if (line.starts_with(field) && colon != std::string::npos) {
      const auto start = line.find_first_not_of(" \t", colon + 1);
      return start == std::string::npos ? "" : line.substr(start);
    }
  }
  return "";
}

uint64_t meminfo_bytes(const std::string& field) {
  const std::string value = proc_field("/proc/meminfo", field);
  return value.empty() ? 0 : std::stoull(value) * 1024;
}

std::vector<std::string> compiled_architectures() {
  std::vector<std::string> names;
#ifdef MOSHI_CUDA
  std::istringstream text(cuda::architectures());
  for (std::string name; std::getline(text, name, ',');) {
    names.push_back(name);
  }
#endif
  return names;
}

#ifdef MOSHI_CUDA
/// What LibTorch tells of itself: "  - CUDA Runtime 13.0\n  - NVCC architecture flags: -gencode;...".
void describe_libtorch(BuildInfo& build) {
  try {
    const at::CUDAHooksInterface& hooks = at::detail::getCUDAHooks();
    const int64_t version = hooks.versionCUDART();  // 13000
    build.libtorch_cuda = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
    const std::string text = hooks.showConfig();
    const std::string before = "CUDA Runtime ";
    const size_t start = text.find(before);
    if (start != std::string::npos) {
      const size_t from = start + before.size();
      build.cuda_runtime = text.substr(from, text.find_first_not_of("0123456789.", from) - from);
    }
    build.libtorch_architectures = runtime::architectures_of_flags(text);
  } catch (const std::exception&) {  // No driver, or one too old: it says no more then.
  }
}
#endif

std::vector<DeviceInfo> cuda_devices([[maybe_unused]] std::string& problem) {
  std::vector<DeviceInfo> infos;
#ifdef MOSHI_CUDA
  for (const cuda::Device& device : cuda::devices(problem)) {
    DeviceInfo info;
    info.name = "cuda:" + std::to_string(infos.size());
    info.description = device.name;
    info.architecture = "sm_" + std::to_string(device.major) + std::to_string(device.minor);
    info.memory_bytes = device.memory_bytes;
    info.problem =
        architecture_problem(info.name + " (" + info.description + ")", info.architecture, build_info());
    info.usable = info.problem.empty();
    infos.push_back(info);
  }
#else
  problem = "this build has no CUDA code: run scripts/setup --cuda";
#endif
  return infos;
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  std::string problem;
  std::vector<DeviceInfo> infos = cuda_devices(problem);
#ifdef MOSHI_CUDA
  for (size_t i = 0; i < infos.size(); ++i) {
    infos[i].free_bytes = cuda::free_memory(static_cast<int>(i));
  }
#endif
  DeviceInfo cpu;
  cpu.name = "cpu";
  cpu.description = proc_field("/proc/cpuinfo", "model name");
  cpu.architecture = at::get_cpu_capability();
  cpu.memory_bytes = meminfo_bytes("MemTotal");
  cpu.free_bytes = meminfo_bytes("MemAvailable");
  infos.push_back(cpu);
  return infos;
}

BuildInfo build_info() {
  static const BuildInfo info = [] {
    BuildInfo build;
    build.version = MOSHI_VERSION;
    build.libtorch = TORCH_VERSION;
    build.architectures = compiled_architectures();
#ifdef MOSHI_CUDA
    build.cuda = true;
    describe_libtorch(build);
#endif
    return build;
  }();
  return info;
}

std::string cuda_problem() {
  std::string problem;
#ifdef MOSHI_CUDA
  cuda::devices(problem);
#endif
  return problem;
}

namespace runtime {

namespace {

/// The CUDA device. From now on LibTorch cuts no large block of its memory up: what only a conversion takes
/// while a model loads then goes back whole, not but for a corner that a weight found room in. A user's own
/// setting stays.
at::Device cuda_device(size_t index) {
  if (c10::CachingAllocator::getAllocatorSettings().empty()) {
    c10::CachingAllocator::setAllocatorSettings("max_split_size_mb:32");
  }
#ifdef MOSHI_CUDA
  cuda::keep_little_stack(static_cast<int>(index));
#endif
  return {at::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace

at::Device select_device(const std::string& name) {
  const bool digits =
      name.size() > 5 && name.size() < 9 && std::all_of(name.begin() + 5, name.end(), ::isdigit);
  if (name != "auto" && name != "cpu" && name != "cuda" && !(name.starts_with("cuda:") && digits)) {
    throw Error(ErrorCode::Settings, "device: expected auto, cpu, cuda or cuda:N, found " + name);
  }
  if (name == "cpu") {
    return at::kCPU;
  }
  std::string problem;
  const std::vector<DeviceInfo> devices = cuda_devices(problem);
  if (name == "auto") {
    for (size_t i = 0; i < devices.size(); ++i) {
      if (devices[i].usable) {
        return cuda_device(i);
      }
    }
    return at::kCPU;
  }
  const size_t index = name == "cuda" ? 0 : std::stoul(name.substr(5));
  if (index >= devices.size()) {
    throw Error(ErrorCode::NoDevice, "device " + name + ": found " + std::to_string(devices.size()) +
                                         " CUDA devices" + (problem.empty() ? "" : " (" + problem + ")") +
                                         ": use --device cpu; gst-moshi doctor says what is missing");
  }
  if (!devices[index].usable) {
    throw Error(ErrorCode::NoDevice, devices[index].problem);
  }
  return cuda_device(index);
}

std::string device_name(at::Device device) {
  if (device.is_cpu()) {
    return proc_field("/proc/cpuinfo", "model name");
  }
  std::string problem;
  return cuda_devices(problem).at(static_cast<size_t>(device.index())).description;
}

uint64_t free_memory(at::Device device) {
#ifdef MOSHI_CUDA
  if (device.is_cuda()) {
    return cuda::free_memory(device.index());
  }
#endif
  return device.is_cpu() ? meminfo_bytes("MemAvailable") : 0;
}

uint64_t used_memory(at::Device device) {
#ifdef MOSHI_CUDA
  if (device.is_cuda()) return cuda::used_memory(device.index());
#endif
  // The line reads "VmRSS: 123 kB".
  return device.is_cpu() ? std::stoull(proc_field("/proc/self/status", "VmRSS")) * 1024 : 0;
}

uint64_t graph_captures() {
#ifdef MOSHI_CUDA
  return cuda::captures();
#else
  return 0;
#endif
}

namespace {

/// Reads all of `data`, asynchronously on a CUDA device.
void read_once(const at::Tensor& data, at::Tensor& sum) {
#ifdef MOSHI_CUDA
  if (data.is_cuda()) {
    const c10::DeviceGuard guard(data.device());
    cuda::check(cuda::read_all(data.const_data_ptr(), data.nbytes(), sum.mutable_data_ptr<float>(), nullptr),
                "reading memory");
    return;
  }
#endif
  sum = data.sum();
}

}  // namespace

double read_bandwidth(at::Device device) {
  const int passes = device.is_cuda() ? 8 : 2;  // Started together: a launch does not count.
  const bool roomy = device.is_cuda() && free_memory(device) > uint64_t{8} << 30;
  double best = 0;
  {
    const at::Tensor data = at::ones({int64_t{1} << (roomy ? 30 : 28)}, at::TensorOptions().device(device));
    at::Tensor sum = at::zeros({}, data.options());
    for (int round = 0; round < 3; ++round) {
      static_cast<void>(sum.item<float>());  // All before is done.
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < passes; ++i) read_once(data, sum);
      static_cast<void>(sum.item<float>());
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      best = std::max(best, passes * static_cast<double>(data.nbytes()) / seconds.count());
    }
  }
  nn::release_spare_memory(device);
  return best;
}

namespace {

/// Throws what a message of CUDA means, where that is known.
void explain(const std::string& what, const std::string& message) {
  std::string problem;
  const std::string advice = advice_on(message, cuda_devices(problem), build_info());
  if (!advice.empty()) throw Error(ErrorCode::NoDevice, what + " failed: " + advice);
}

}  // namespace

void with_errors(const std::string& what, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    explain(what, error.what());
    throw;
  } catch (const c10::OutOfMemoryError&) {
    throw Error(ErrorCode::NoSpace,
                what + ": out of device memory: close other programs or use a smaller model");
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::NoSpace, what + ": out of memory: close other programs or use a smaller model");
  } catch (const c10::Error& error) {
    std::string message = error.what_without_backtrace();
    explain(what, message);
    throw Error(ErrorCode::Failed, what + " failed: " + message.substr(0, message.find('\n')));
  } catch (const std::exception& error) {
    const std::string message = error.what();
    explain(what, message);
    throw Error(ErrorCode::Failed, what + " failed: " + message.substr(0, message.find('\n')));
  }
}

}  // namespace runtime
}  // namespace moshi
