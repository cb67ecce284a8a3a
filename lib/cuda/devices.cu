// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
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

}  // namespace

uint64_t free_memory(int index) { return memory_of(index).free; }

uint64_t used_memory(int index) {
  const Memory memory = memory_of(index);
  return memory.total - memory.free;
}

}  // namespace moshi::cuda
