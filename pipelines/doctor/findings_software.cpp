// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What does not fit between driver, LibTorch, this build and the environment.
#include <algorithm>
#include <cstdio>

#include "doctor/findings.h"

namespace doctor {
namespace {

/// "12.6": 12060, as the driver counts.
int cuda_number(const std::string& version) {
  int major = 0;
  int minor = 0;
  std::sscanf(version.c_str(), "%d.%d", &major, &minor);
  return 1000 * major + 10 * minor;
}

std::string cuda_name(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

/// The CUDA version of LibTorch; of the one that scripts/setup installs where this build has none.
int cuda_of(const moshi::BuildInfo& build) {
  return build.libtorch_cuda.empty() ? 13000 : cuda_number(build.libtorch_cuda);
}

bool is_blackwell(const Gpu& gpu) { return gpu.architecture.size() > 5; }  // "sm_100" and newer

/// A driver runs what was built for any CUDA of its own major version.
bool driver_too_old(const Facts& facts) {
  return facts.driver.cuda != 0 && facts.driver.cuda / 1000 < cuda_of(facts.build) / 1000;
}

void diagnose_old_driver(const Facts& facts, Findings& findings) {
  const int cuda = cuda_of(facts.build);
  const bool blackwell = std::any_of(facts.driver.gpus.begin(), facts.driver.gpus.end(), is_blackwell);
  const std::string least = cuda >= 13000 ? "580" : blackwell ? "570" : "525";
  std::string advice = install_driver(facts.machine);
  // CUDA 12.8 has what is needed for every card, and runs on drivers of CUDA 12.
  if (cuda >= 13000 && facts.driver.cuda >= (blackwell ? 12080 : 12000)) {
    advice +=
        "; or keep this driver with a LibTorch for CUDA 12.8: .venv/bin/pip install --force-reinstall "
        "torch==2.11.0 --index-url https://download.pytorch.org/whl/cu128, then scripts/setup --cuda with "
        "the nvcc "
        "of CUDA 12.8 in PATH";
  }
  findings.push_back({facts.build.cuda ? Severity::Error : Severity::Warning, "driver-too-old",
                      "driver " + facts.driver.version + " supports CUDA " + cuda_name(facts.driver.cuda) +
                          ", LibTorch for CUDA " + cuda_name(cuda) + " needs driver " + least + " or newer",
                      advice});
}

void diagnose_architectures(const Facts& facts, Findings& findings) {
  for (size_t i = 0; i < facts.driver.gpus.size(); ++i) {
    const Gpu& gpu = facts.driver.gpus[i];
    const std::string problem = moshi::architecture_problem(gpu.name, gpu.architecture, facts.build);
    if (!problem.empty()) {
      const size_t colon = problem.find(": ");
      findings.push_back({Severity::Error, "no-code-for-gpu", problem.substr(0, colon),
                          problem.substr(colon + 2), static_cast<int>(i)});
    } else if (moshi::code_for(gpu.architecture, facts.build.architectures) == moshi::CodeKind::Ptx) {
      findings.push_back(
          {Severity::Note, "code-by-ptx",
           gpu.name + " is " + gpu.architecture +
               ", for which the driver compiles our kernels when they are first used",
           "expect a first start of minutes; it is kept in ~/.nv/ComputeCache. To have it in the "
           "build: meson configure build -Dcuda-architectures=" +
               gpu.architecture.substr(3) + ", then ninja -C build"});
    }
  }
}

/// CUDA starts on no GPU though the driver shows one, and nothing above says why.
void diagnose_silent_cuda(const Facts& facts, Findings& findings) {
  const std::string& problem = facts.runtime.problem;
  const auto says = [&](const char* words) { return problem.find(words) != std::string::npos; };
  std::string advice = "restart the machine; sudo dmesg | grep -i nvrm says more";
  if (says("not yet initialized")) {
    advice =
        "GPUs joined by NVSwitch need their manager, of the driver's version: sudo apt-get install "
        "nvidia-fabricmanager; sudo systemctl enable --now nvidia-fabricmanager";
  } else if (says("unknown error")) {
    advice = "after the machine slept: sudo rmmod nvidia_uvm; sudo modprobe nvidia_uvm";
  }
  findings.push_back({Severity::Error, "cuda-does-not-start", "CUDA does not start: " + problem, advice});
}

size_t cuda_devices(const Facts& facts) {
  return static_cast<size_t>(
      std::count_if(facts.runtime.devices.begin(), facts.runtime.devices.end(),
                    [](const moshi::DeviceInfo& device) { return device.name.starts_with("cuda"); }));
}

/// CUDA_VISIBLE_DEVICES; true where it explains that CUDA shows nothing.
bool diagnose_hidden(const Facts& facts, Findings& findings) {
  const size_t shown = cuda_devices(facts);
  const size_t there = facts.driver.gpus.size();
  const bool mig =
      std::any_of(facts.driver.gpus.begin(), facts.driver.gpus.end(), [](const Gpu& gpu) { return gpu.mig; });
  if (!facts.machine.visible_devices || shown >= there || mig) return false;
  findings.push_back({shown == 0 ? Severity::Error : Severity::Note, "hidden-gpus",
                      "CUDA_VISIBLE_DEVICES=" + *facts.machine.visible_devices + " shows " +
                          std::to_string(shown) + " of " + std::to_string(there) + " GPUs",
                      "run unset CUDA_VISIBLE_DEVICES, or set it to the numbers of those to use"});
  return shown == 0;
}

}  // namespace

void diagnose_software(const Facts& facts, Findings& findings) {
  for (const std::string& setting : facts.machine.slow_settings) {
    findings.push_back(
        {Severity::Warning, "slow-setting", setting + " is set, which makes each frame slower",
         "run unset " + setting.substr(0, setting.find('=')) + ", unless you look for a fault"});
  }
  if (facts.driver.gpus.empty()) return;
  if (!facts.build.cuda) {
    findings.push_back({Severity::Warning, "cpu-build",
                        "this build is for the CPU alone, and the machine has " + facts.driver.gpus[0].name,
                        "run scripts/setup --cuda, then ninja -C build"});
  }
  const bool old_driver = driver_too_old(facts);
  if (old_driver) diagnose_old_driver(facts, findings);
  if (!facts.build.cuda) return;
  diagnose_architectures(facts, findings);
  const bool hidden = !old_driver && diagnose_hidden(facts, findings);
  const bool prohibited = std::all_of(facts.driver.gpus.begin(), facts.driver.gpus.end(), [](const Gpu& gpu) {
    return gpu.compute_mode == ComputeMode::Prohibited || (gpu.mig && gpu.mig_instances == 0);
  });
  if (!old_driver && !hidden && !prohibited && cuda_devices(facts) == 0)
    diagnose_silent_cuda(facts, findings);
}

}  // namespace doctor
