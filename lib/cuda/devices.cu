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

uint64_t free_memory(int index) {
  int current = 0;
  size_t free = 0;
  size_t total = 0;
  cudaGetDevice(&current);
  if (cudaSetDevice(index) != cudaSuccess || cudaMemGetInfo(&free, &total) != cudaSuccess) {
    cudaGetLastError();
    free = 0;
  }
  cudaSetDevice(current);
  return free;
}

}  // namespace moshi::cuda
