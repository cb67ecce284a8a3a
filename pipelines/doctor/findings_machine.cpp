// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Modes and memory of each GPU, and the host around them.
#include <algorithm>
#include <iomanip>
#include <sstream>

#include "doctor/findings.h"

namespace doctor {
namespace {

constexpr uint64_t kWorthNaming = 500'000'000;  ///< Bytes in use that matter.

/// "python3 (pid 4242, 15.0 GB), Xorg (pid 812)", those with most memory first.
std::string users_of(const Gpu& gpu) {
  std::vector<Process> processes = gpu.processes;
  std::stable_sort(processes.begin(), processes.end(),
                   [](const Process& a, const Process& b) { return a.bytes > b.bytes; });
  std::string text;
  for (const Process& process : processes) {
    text += (text.empty() ? "" : ", ") + process.name + " (pid " + std::to_string(process.pid) +
            (process.bytes == 0 ? "" : ", " + gigabytes(process.bytes)) + ")";
  }
  return text;
}

void diagnose_mode(const std::string& number, const Gpu& gpu, Findings& findings) {
  const std::string reset = "run sudo nvidia-smi -i " + number + " -c DEFAULT";
  if (gpu.compute_mode == ComputeMode::Prohibited) {
    findings.push_back({Severity::Error, "compute-prohibited",
                        gpu.name + " is in compute mode Prohibited: no program may compute on it", reset});
  } else if (gpu.compute_mode == ComputeMode::Exclusive && !gpu.processes.empty()) {
    findings.push_back({Severity::Error, "compute-exclusive-in-use",
                        gpu.name + " is in exclusive compute mode and in use by " + users_of(gpu),
                        "end that program, or " + reset});
  } else if (gpu.compute_mode == ComputeMode::Exclusive) {
    findings.push_back({Severity::Note, "compute-exclusive",
                        gpu.name + " is in exclusive compute mode: one process at a time may use it",
                        "keep all pipelines in one process, or " + reset});
  }
}

void diagnose_mig(const std::string& number, const Gpu& gpu, Findings& findings) {
  if (!gpu.mig) return;
  if (gpu.mig_instances == 0) {
    findings.push_back({Severity::Error, "mig-without-instance",
                        gpu.name + " is in MIG mode and has no instance to compute on",
                        "run sudo nvidia-smi mig -i " + number +
                            " -cgi 0 -C for one of the whole card, or sudo nvidia-smi -i " + number +
                            " -mig 0 to leave the mode"});
  } else {
    findings.push_back({Severity::Note, "mig",
                        gpu.name + " is in MIG mode: a program gets one of " +
                            std::to_string(gpu.mig_instances) +
                            " instances, with its part of memory and bandwidth",
                        "choose one with CUDA_VISIBLE_DEVICES=MIG-... (nvidia-smi -L names them)"});
  }
}

void diagnose_memory(const Machine& machine, const Gpu& gpu, Findings& findings) {
  if (gpu.memory_bytes < kLeastGpuMemory) {
    findings.push_back(
        {Severity::Note, "small-memory",
         gpu.name + " has " + gigabytes(gpu.memory_bytes) + ", Moshi 7B needs " + gigabytes(kLeastGpuMemory) +
             " in int8",
         "take a smaller model on it, the embedded one for example, or a card of docs/gpus.md"});
    return;
  }
  const uint64_t used = gpu.memory_bytes - std::min(gpu.free_bytes, gpu.memory_bytes);
  if (gpu.mig || gpu.free_bytes >= kLeastGpuMemory || used < kWorthNaming) return;
  const std::string users = users_of(gpu);
  const std::string whom = !users.empty()     ? users
                           : machine.wsl != 0 ? "programs of Windows, which its Task Manager names"
                           : machine.container
                               ? "programs outside this container, which nvidia-smi names on the host"
                               : "programs that the driver does not name";
  findings.push_back({Severity::Warning, "memory-in-use",
                      gpu.name + " has " + gigabytes(gpu.free_bytes) + " free of " +
                          gigabytes(gpu.memory_bytes) + ", in use by " + whom,
                      "end them: Moshi 7B needs " + gigabytes(kLeastGpuMemory) + " in int8"});
}

void diagnose_persistence(const Machine& machine, const std::string& number, const Gpu& gpu,
                          Findings& findings) {
  if (gpu.persistence != false || machine.wsl != 0 || machine.container) return;
  findings.push_back({Severity::Note, "no-persistence",
                      gpu.name + " is shut down when no program uses it: each first start takes seconds more",
                      "run sudo nvidia-smi -i " + number + " -pm 1"});
}

void diagnose_wsl(const Machine& machine, bool gpu, Findings& findings) {
  if (machine.wsl != 2) return;
  if (machine.cuda_library) {
    findings.push_back(
        {Severity::Warning, "wsl-linux-driver",
         "a Linux driver is installed in WSL, where it hides the one of Windows",
         "run sudo apt-get purge 'nvidia-driver*' 'libnvidia-*' 'libcuda*', then wsl --shutdown in Windows"});
  }
  if (machine.memory_bytes < kLeastHostMemory) {
    findings.push_back(
        {Severity::Warning, "wsl-memory",
         "WSL2 gives " + gigabytes(machine.memory_bytes) +
             " of memory (by default half of Windows'): below " + gigabytes(kLeastHostMemory) +
             " a 7B model loads slowly, or not at all",
         "write [wsl2] and, in the next line, memory=16GB into %UserProfile%\\.wslconfig, then "
         "run wsl --shutdown in Windows"});
  }
  if (!gpu) return;
  findings.push_back(
      {Severity::Note, "wsl-pinned-memory",
       "WSL2 lets programs pin only part of its memory, for copies to and from the GPU",
       "where CUDA is out of memory while the GPU has some left, give WSL2 more (memory= in .wslconfig)"});
  findings.push_back({Severity::Note, "wsl-clock",
                      "WSL2's clock may drift from Windows', after sleep above all",
                      "after the computer slept run sudo hwclock -s, or wsl --shutdown in Windows"});
}

void diagnose_speed(const Measurement& measured, bool gpu_errors, Findings& findings) {
  if (measured.p99_ms <= measured.budget_ms) return;
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << "a frame takes " << measured.p99_ms
       << " ms (99th percentile) of the " << measured.budget_ms << " ms it may, in " << measured.precision
       << " on " << measured.device_name;
  const std::string lighter =
      measured.precision == "int8" ? "a smaller model" : "--precision int8, a smaller model";
  const std::string advice = gpu_errors ? "see the errors above, which keep the GPU from being used"
                             : measured.device == "cpu"
                                 ? "take a GPU of docs/gpus.md, " + lighter + " or more --threads"
                                 : "take " + lighter + " or a faster card of docs/gpus.md";
  findings.push_back({Severity::Warning, "too-slow", text.str(), advice});
}

void diagnose_elements(const std::vector<std::string>& missing, Findings& findings) {
  std::string own;
  std::string others;
  for (const std::string& name : missing) {
    std::string& names = name.starts_with("mimi") || name.starts_with("moshi") ? own : others;
    names += (names.empty() ? "" : ", ") + name;
  }
  if (!own.empty()) {
    findings.push_back(
        {Severity::Warning, "missing-elements", "GStreamer does not find " + own,
         "set GST_PLUGIN_PATH to the directory of libgstmoshi.so, or run meson devenv -C build -w ."});
  }
  if (!others.empty()) {
    findings.push_back({Severity::Warning, "missing-elements", "GStreamer does not find " + others,
                        "install gstreamer1.0-plugins-base and gstreamer1.0-plugins-good, or what they are "
                        "called on this system"});
  }
}

}  // namespace

void diagnose_gpus(const Facts& facts, Findings& findings) {
  for (size_t i = 0; i < facts.driver.gpus.size(); ++i) {
    const Gpu& gpu = facts.driver.gpus[i];
    const std::string number = std::to_string(i);
    const size_t before = findings.size();
    diagnose_mode(number, gpu, findings);
    diagnose_mig(number, gpu, findings);
    diagnose_memory(facts.machine, gpu, findings);
    diagnose_persistence(facts.machine, number, gpu, findings);
    for (size_t j = before; j < findings.size(); ++j) findings[j].gpu = static_cast<int>(i);
  }
}

void diagnose_host(const Facts& facts, Findings& findings) {
  const Machine& machine = facts.machine;
  diagnose_wsl(machine, !facts.driver.gpus.empty(), findings);
  if (machine.memory_limit != 0 && machine.memory_limit < std::min(machine.memory_bytes, kLeastHostMemory)) {
    findings.push_back({Severity::Warning, "memory-limit",
                        "this " + std::string(machine.container ? "container" : "session") + " may take " +
                            gigabytes(machine.memory_limit) + " of memory: below " +
                            gigabytes(kLeastHostMemory) + " a 7B model loads slowly, or not at all",
                        machine.container ? "start it with docker run --memory 16g"
                                          : "raise its control group's memory.max"});
  }
  diagnose_elements(facts.missing_elements, findings);
  if (facts.measured) {
    const bool errors = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.severity == Severity::Error;
    });
    diagnose_speed(*facts.measured, errors, findings);
  }
}

}  // namespace doctor
