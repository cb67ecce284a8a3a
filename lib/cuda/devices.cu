// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <cuda.h>
#include <cuda_runtime.h>

#include "cuda/devices.h"

namespace moshi::cuda {

std::vector<Device> devices(std::string& problem) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    problem = cudaGetErrorString(status);
    return {};
  }
  std::vector<Device> found;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) {
      problem = cudaGetErrorString(cudaGetLastError());
      continue;
    }
    found.push_back({properties.name, properties.major, properties.minor, properties.totalGlobalMem});
  }
  return found;
}

namespace {

struct Memory {
  size_t free = 0;
  size_t total = 0;
};

Memory memory_of(int index) {
  int current = 0;
  Memory memory;
  cudaGetDevice(&current);
  if (cudaSetDevice(index) != cudaSuccess || cudaMemGetInfo(&memory.free, &memory.total) != cudaSuccess) {
    cudaGetLastError();
    memory = {};
  }
  cudaSetDevice(current);
  return memory;
}

/// Bytes of a thread: more than any kernel of ours needs.
constexpr size_t kStack = 128;

/// Whether this process uses the device: whoever began has set it up.
bool is_used(int index) {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found{};
  constexpr unsigned kSince = 7000;  // CUDA 7.0
  if (cudaGetDriverEntryPointByVersion("cuDevicePrimaryCtxGetState", &entry, kSince, cudaEnableDefault,
                                       &found) != cudaSuccess ||
      found != cudaDriverEntryPointSuccess) {
    return true;
  }
  unsigned flags = 0;
  int active = 0;
  const auto state_of = reinterpret_cast<decltype(&cuDevicePrimaryCtxGetState)>(entry);
  return state_of(index, &flags, &active) != CUDA_SUCCESS || active != 0;
}

}  // namespace

void keep_little_stack(int index) {
  if (is_used(index)) return;
  int current = 0;
  cudaGetDevice(&current);
  if (cudaSetDevice(index) == cudaSuccess) cudaDeviceSetLimit(cudaLimitStackSize, kStack);
  cudaSetDevice(current);
  cudaGetLastError();  // What failed here fails again where it matters.
}

uint64_t free_memory(int index) { return memory_of(index).free; }

uint64_t used_memory(int index) {
  const Memory memory = memory_of(index);
  return memory.total - memory.free;
}

}  // namespace moshi::cuda
