// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>

namespace moshi::runtime {

/// The device a name means: auto (the first usable CUDA device, else the CPU), cpu, cuda, cuda:N.
/// Throws Settings for another name, NoDevice where it does not exist or has no code in this build.
at::Device select_device(const std::string& name);

/// What a device calls itself: "NVIDIA H200", or the CPU's model name.
std::string device_name(at::Device device);

/// Free memory of a device in bytes.
uint64_t free_memory(at::Device device);

/// Memory of a device in use by all programs; of the CPU's, what this process has.
uint64_t used_memory(at::Device device);

/// How many CUDA graphs this process has made.
uint64_t graph_captures();

/// Bytes a second a device reads from its memory: the best of a few passes over far more than any cache
/// holds.
double read_bandwidth(at::Device device);

/// Runs `action` and turns what LibTorch and CUDA throw into Error: NoSpace for exhausted memory, NoDevice
/// with what to install where there is no code for the device or the driver is too old, else Failed with the
/// first line of its message. `what` names the action for the message.
void with_errors(const std::string& what, const std::function<void()>& action);

}  // namespace moshi::runtime
