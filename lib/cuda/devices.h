// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moshi::cuda {

/// One CUDA device.
struct Device {
  std::string name;
  int major = 0;  ///< Compute capability.
  int minor = 0;
  uint64_t memory_bytes = 0;
};

/// All devices; empty, with the driver's words in `problem`, where there is no usable driver.
std::vector<Device> devices(std::string& problem);

/// Lets device `index` keep little stack for its threads, where nobody in this process uses it yet: CUDA
/// keeps 1 KB for each that fits at once (277 MB on an H200), and makes room by itself when a kernel needs
/// more.
void keep_little_stack(int index);

/// Free memory of device `index` in bytes; 0 where it cannot be asked. Starts to use the device, which
/// takes some hundred MB of it.
uint64_t free_memory(int index);

/// Memory of it in use, by all programs.
uint64_t used_memory(int index);

}  // namespace moshi::cuda
