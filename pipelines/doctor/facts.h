// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the doctor knows of a machine, this build and a measured model. Plain data.
#pragma once

#include <moshi/moshi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace doctor {

struct Process {
  unsigned pid = 0;
  std::string name;
  uint64_t bytes = 0;  ///< Of the GPU's memory; 0 where the driver does not tell.
};

enum class ComputeMode { Default, Exclusive, Prohibited };

/// One GPU as the driver tells.
struct Gpu {
  std::string name;
  std::string architecture;  ///< "sm_90"
  uint64_t memory_bytes = 0;
  uint64_t free_bytes = 0;
  double bandwidth = 0;  ///< Bytes a second, by clock and width of its memory; 0: not known.
  ComputeMode compute_mode = ComputeMode::Default;
  bool mig = false;
  int mig_instances = 0;
  std::optional<bool> persistence;  ///< Nothing where the driver does not tell.
  std::vector<Process> processes;   ///< Those of others that use it.
};

/// What the driver's management library (NVML) says.
struct Driver {
  bool library = false;  ///< libnvidia-ml.so.1 was found.
  std::string problem;   ///< What it answered in place of the rest.
  std::string version;   ///< "580.159.04"
  int cuda = 0;          ///< The newest CUDA it supports, 13000 for 13.0.
  std::vector<Gpu> gpus;
};

/// What the CUDA runtime in this process says.
struct Runtime {
  std::vector<moshi::DeviceInfo> devices;  ///< The CPU is last.
  std::string problem;                     ///< Why there is no CUDA device, in CUDA's words.
};

/// What the operating system says.
struct Machine {
  std::string distribution;  ///< "debian", "ubuntu"
  int wsl = 0;               ///< 1, 2; 0: none.
  bool wsl_driver = false;   ///< Windows' CUDA library in /usr/lib/wsl/lib.
  bool wsl_device = false;   ///< /dev/dxg
  bool container = false;
  int pci_gpus = 0;            ///< NVIDIA's display controllers on the bus.
  std::string kernel_module;   ///< Version of NVIDIA's, "" where it is not loaded.
  bool nouveau = false;        ///< The kernel's own driver holds the GPU.
  bool cuda_library = false;   ///< libcuda.so.1 of a Linux driver.
  bool device_files = false;   ///< /dev/nvidiactl and a /dev/nvidia<N>
  bool device_access = false;  ///< They can be opened.
  uint64_t memory_bytes = 0;
  uint64_t memory_limit = 0;                   ///< Of the control group, 0: none.
  std::optional<std::string> visible_devices;  ///< CUDA_VISIBLE_DEVICES
  std::vector<std::string> slow_settings;      ///< Of the environment: "CUDA_LAUNCH_BLOCKING=1".
};

/// A model's frame of one caller, measured.
struct Measurement {
  std::string device;  ///< "cuda:0"
  std::string device_name;
  std::string precision;
  double median_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
  double budget_ms = 0;
  int callers_in_memory = 0;  ///< Conversations of full length that the device has memory for.
  double bandwidth = 0;       ///< Bytes a second the device reads; 0: not measured.
};

struct Facts {
  Machine machine;
  Driver driver;
  Runtime runtime;
  moshi::BuildInfo build;
  std::vector<std::string> missing_elements;
  std::optional<Measurement> measured;
};

}  // namespace doctor
