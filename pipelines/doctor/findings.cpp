// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "doctor/findings.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace doctor {
namespace {

/// Why WSL shows no GPU.
void diagnose_wsl_driver(const Machine& machine, Findings& findings) {
  if (machine.wsl == 1) {
    findings.push_back({Severity::Error, "wsl1", "this is WSL 1, in which no GPU can be used",
                        "run in Windows: wsl --set-version DISTRIBUTION 2 (wsl -l -v names it)"});
  } else if (!machine.wsl_device) {
    findings.push_back({Severity::Error, "wsl-no-gpu", "WSL2 shows no GPU: there is no /dev/dxg",
                        "run in Windows: wsl --update, then wsl --shutdown, and start WSL again"});
  } else if (!machine.wsl_driver) {
    findings.push_back({Severity::Error, "wsl-no-driver",
                        "WSL2 has no CUDA driver: there is no /usr/lib/wsl/lib/libcuda.so.1",
                        install_driver(machine)});
  }
}

void diagnose_container(const Machine& machine, Findings& findings) {
  if (machine.device_files) {
    findings.push_back({Severity::Error, "container-without-driver",
                        "this container has the GPU's device files, not the driver's libraries",
                        "start it with -e NVIDIA_DRIVER_CAPABILITIES=compute,utility"});
    return;
  }
  findings.push_back(
      {Severity::Error, "container-without-gpu", "this container was started without access to the GPU",
       "start it with docker run --gpus all; where docker does not know that, install it on the host first: "
       "sudo "
       "apt-get install nvidia-container-toolkit; sudo nvidia-ctk runtime configure --runtime=docker; sudo "
       "systemctl restart docker"});
}

/// The driver's library is there and gets no answer.
void diagnose_silent_driver(const Facts& facts, Findings& findings) {
  const Machine& machine = facts.machine;
  const auto says = [&](const char* words) { return facts.driver.problem.find(words) != std::string::npos; };
  if (says("version mismatch")) {
    findings.push_back({Severity::Error, "driver-mismatch",
                        "the driver was updated while the kernel runs the module of before" +
                            (machine.kernel_module.empty() ? "" : ", " + machine.kernel_module),
                        "restart the machine"});
  } else if (machine.kernel_module.empty()) {
    findings.push_back({Severity::Error, "driver-not-loaded",
                        "the NVIDIA driver is installed, its kernel module is not loaded",
                        "run sudo modprobe nvidia; where that fails, dkms status says whether the module was "
                        "built for this kernel, and mokutil --sb-state whether Secure Boot keeps it out"});
  } else if (machine.device_files && !machine.device_access) {
    findings.push_back({Severity::Error, "device-permission", "this user may not open /dev/nvidia*",
                        "run sudo usermod -aG video,render $USER, then log out and in again"});
  } else {
    findings.push_back({Severity::Error, "driver-problem",
                        "the NVIDIA driver answers: " + facts.driver.problem,
                        "restart the machine; sudo dmesg | grep -i nvrm says more"});
  }
}

}  // namespace

std::string install_driver(const Machine& machine) {
  const std::string driver = "NVIDIA's driver 580 or newer (https://www.nvidia.com/drivers)";
  if (machine.wsl != 0) {
    return "install " + driver + " in Windows, none in WSL, then run wsl --shutdown in Windows";
  }
  if (machine.container) return "on the host, not in the container, install " + driver;
  if (machine.distribution == "ubuntu") {
    return "run sudo apt-get install nvidia-driver-580, then restart the machine";
  }
  if (machine.distribution == "debian") {
    return "add NVIDIA's repository (https://developer.nvidia.com/cuda-downloads: Linux, x86_64, Debian, deb "
           "network), run sudo apt-get install cuda-drivers (Debian 12's own driver is older than 580), then "
           "restart the machine";
  }
  return "install " + driver + ", then restart the machine";
}

std::string gigabytes(uint64_t bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) * 1e-9 << " GB";
  return text.str();
}

void diagnose_missing_driver(const Facts& facts, Findings& findings) {
  const Machine& machine = facts.machine;
  if (machine.wsl != 0) {
    const size_t before = findings.size();
    diagnose_wsl_driver(machine, findings);
    if (findings.size() > before) return;
  }
  const bool host_has_gpu = machine.pci_gpus > 0 || !machine.kernel_module.empty();
  const bool refuses = facts.driver.library && !facts.driver.problem.empty();
  const bool lacks_module =
      !machine.container && machine.cuda_library && machine.wsl == 0 && machine.kernel_module.empty();
  if (!host_has_gpu && machine.wsl == 0) {
    findings.push_back({Severity::Note, "no-gpu", "this machine has no NVIDIA GPU",
                        "models run on the CPU; docs/gpus.md says which cards hold a large one"});
  } else if (refuses || lacks_module) {
    diagnose_silent_driver(facts, findings);
  } else if (machine.container) {
    diagnose_container(machine, findings);
  } else {
    findings.push_back({Severity::Error, "no-driver",
                        std::string("there is an NVIDIA GPU without NVIDIA's driver") +
                            (machine.nouveau ? ": the kernel's nouveau holds it" : ""),
                        install_driver(machine)});
  }
}

bool blocked(const Findings& findings, int gpu) {
  return std::any_of(findings.begin(), findings.end(), [gpu](const Finding& finding) {
    return finding.severity == Severity::Error && (finding.gpu == -1 || finding.gpu == gpu);
  });
}

Findings diagnose(const Facts& facts) {
  Findings findings;
  if (facts.driver.gpus.empty()) diagnose_missing_driver(facts, findings);
  diagnose_software(facts, findings);
  diagnose_gpus(facts, findings);
  diagnose_host(facts, findings);
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity < b.severity; });
  return findings;
}

}  // namespace doctor
