// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the facts mean: pure functions of them.
#pragma once

#include <string>
#include <vector>

#include "doctor/facts.h"

namespace doctor {

/// Error: a GPU cannot be used. Warning: it works worse than it could. Note: good to know.
enum class Severity { Error, Warning, Note };

struct Finding {
  Severity severity = Severity::Note;
  std::string id;      ///< Stays the same, for programs: "driver-too-old".
  std::string found;   ///< One line.
  std::string advice;  ///< One line: exactly what to install or to do.
  int gpu = -1;        ///< The one it is about, by the driver's number; -1: all of the machine.
};

using Findings = std::vector<Finding>;

/// All that is to be said, the worst first.
Findings diagnose(const Facts& facts);

/// Memory of a GPU that the published 7B model needs in int8, with one full conversation.
constexpr uint64_t kLeastGpuMemory = 10'300'000'000;
/// The host's memory below which loading it is slow, or fails: its files are read through it.
constexpr uint64_t kLeastHostMemory = 12'000'000'000;

// The parts of it, a room of the machine each.

/// Why no driver answers.
void diagnose_missing_driver(const Facts& facts, Findings& findings);
/// What does not fit between driver, LibTorch, this build and the settings of the environment.
void diagnose_software(const Facts& facts, Findings& findings);
/// Modes and memory of each GPU.
void diagnose_gpus(const Facts& facts, Findings& findings);
/// The host: WSL2's and a container's limits, elements, the model's speed.
void diagnose_host(const Facts& facts, Findings& findings);

/// Whether an error among them keeps a GPU from being used.
[[nodiscard]] bool blocked(const Findings& findings, int gpu);

/// How to get a driver on this machine that runs every LibTorch: 580 or newer.
std::string install_driver(const Machine& machine);

/// "11.6 GB"
std::string gigabytes(uint64_t bytes);

}  // namespace doctor
