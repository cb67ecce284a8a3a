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
  uint64_t free_bytes = 0;
};

/// All devices; empty, with the driver's words in `problem`, where there is no usable driver.
std::vector<Device> devices(std::string& problem);

}  // namespace moshi::cuda
