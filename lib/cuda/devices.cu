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
  int current = 0;
  cudaGetDevice(&current);
  std::vector<Device> found;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    size_t free = 0;
    size_t total = 0;
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess || cudaSetDevice(index) != cudaSuccess ||
        cudaMemGetInfo(&free, &total) != cudaSuccess) {
      problem = cudaGetErrorString(cudaGetLastError());
      continue;
    }
    found.push_back({properties.name, properties.major, properties.minor, total, free});
  }
  cudaSetDevice(current);
  return found;
}

}  // namespace moshi::cuda
