// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/advice.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace moshi {
namespace {

constexpr int kOldest = 75;      ///< Compute capability that our kernels begin with, as CUDA 13 does.
constexpr int kBlackwell = 100;  ///< The first one that CUDA 12.6 does not know.
constexpr int kFirstCudaOfBlackwell = 1208;

/// "sm_90" or "compute_90a": 90.
int number_of(const std::string& architecture) {
  const size_t line = architecture.find('_');
  return line == std::string::npos ? 0 : std::atoi(architecture.c_str() + line + 1);
}

/// "12.6": 1206; 0 for "".
int number_of_version(const std::string& version) {
  int major = 0;
  int minor = 0;
  std::sscanf(version.c_str(), "%d.%d", &major, &minor);
  return 100 * major + minor;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string libtorch_of(const BuildInfo& build) {
  return "LibTorch " + build.libtorch + " for CUDA " + build.libtorch_cuda;
}

/// Which LibTorch has code for a device.
std::string libtorch_for(int capability) {
  if (capability < kBlackwell) {
    return "run .venv/bin/pip install --force-reinstall torch==2.11.0, then scripts/setup --cuda";
  }
  return "take LibTorch for CUDA 12.8 (from 2.7.0) or CUDA 13.0 (from 2.9), never for 12.4 or 12.6: run "
         ".venv/bin/pip install --force-reinstall torch==2.11.0 (CUDA 13.0, driver 580 or newer), or with a "
         "driver from 570 on .venv/bin/pip install --force-reinstall torch==2.11.0 --index-url "
         "https://download.pytorch.org/whl/cu128 and the nvcc of CUDA 12.8 in PATH; then scripts/setup "
         "--cuda";
}

/// LibTorch tells its architectures only where a driver runs; what its official builds lack is known.
bool libtorch_lacks(const std::string& architecture, const BuildInfo& build) {
  if (!build.libtorch_architectures.empty()) {
    return code_for(architecture, build.libtorch_architectures) == CodeKind::None;
  }
  return number_of(architecture) >= kBlackwell && !build.libtorch_cuda.empty() &&
         number_of_version(build.libtorch_cuda) < kFirstCudaOfBlackwell;
}

}  // namespace

CodeKind code_for(const std::string& architecture, const std::vector<std::string>& compiled) {
  const int device = number_of(architecture);
  CodeKind found = CodeKind::None;
  for (const std::string& name : compiled) {
    const int code = number_of(name);
    if (name.starts_with("sm_")) {
      // Machine code runs on its own major version, from its minor version on.
      if (code / 10 == device / 10 && code <= device) return CodeKind::Native;
    } else if (code <= device) {
      found = CodeKind::Ptx;
    }
  }
  return found;
}

std::string architecture_problem(const std::string& device, const std::string& architecture,
                                 const BuildInfo& build) {
  const int capability = number_of(architecture);
  if (capability < kOldest) {
    return device + " is " + architecture +
           ", older than sm_75, with which our kernels and CUDA 13 begin: use --device cpu, or a card from "
           "the "
           "RTX 20 series or T4 on";
  }
  if (libtorch_lacks(architecture, build)) {
    const std::string known = build.libtorch_architectures.empty()
                                  ? "has no code for it"
                                  : "has code for " + joined(build.libtorch_architectures);
    return device + " is " + architecture + ", " + libtorch_of(build) + " " + known + ": " +
           libtorch_for(capability);
  }
  if (code_for(architecture, build.architectures) == CodeKind::None) {
    return device + " is " + architecture + ", this build of gst-moshi has code for " +
           joined(build.architectures) +
           ": run meson configure build -Dcuda-architectures=" + architecture.substr(3) +
           ", then ninja -C build";
  }
  return "";
}

namespace runtime {

std::vector<std::string> architectures_of_flags(const std::string& flags) {
  std::vector<std::string> names;
  for (size_t start = flags.find("code="); start != std::string::npos; start = flags.find("code=", start)) {
    start += 5;
    const size_t end = flags.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789", start);
    std::string name = flags.substr(start, end == std::string::npos ? end : end - start);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

std::string advice_on(const std::string& message, const std::vector<DeviceInfo>& devices,
                      const BuildInfo& build) {
  const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
  if (says("no kernel image is available")) {
    for (const DeviceInfo& device : devices) {
      if (!device.usable) return device.problem;
    }
    return "CUDA found no code for the device in " + libtorch_of(build) + " (" +
           joined(build.libtorch_architectures) + ") or in this build of gst-moshi (" +
           joined(build.architectures) + "): run gst-moshi doctor, which says what to install";
  }
  if (says("driver version is insufficient") || says("PTX was compiled with an unsupported toolchain")) {
    return "the NVIDIA driver is too old for " + libtorch_of(build) +
           ": run gst-moshi doctor, which says what to install";
  }
  return "";
}

}  // namespace runtime
}  // namespace moshi
