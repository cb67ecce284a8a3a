// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// CUDA's riddles turned into what to install. All pure functions of their arguments.
#pragma once

#include <string>
#include <vector>

#include "moshi/moshi.h"

namespace moshi::runtime {

/// The architectures in the compiler flags that LibTorch tells of itself
/// ("-gencode;arch=compute_90,code=sm_90;..."): "sm_90", "compute_120".
std::vector<std::string> architectures_of_flags(const std::string& flags);

/// What an error of CUDA means where it says that there is no code for a device, or a driver too old for the
/// code: a line of what to do, "" for any other message. `devices` are those of this machine.
std::string advice_on(const std::string& message, const std::vector<DeviceInfo>& devices,
                      const BuildInfo& build);

}  // namespace moshi::runtime
