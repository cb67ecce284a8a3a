// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Device code that several kernels share.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <vector>

#include "cuda/tiles.h"

namespace moshi::cuda {

constexpr int kWarp = 32;

/// Lets the next kernel of the stream start, if it was launched to overlap.
__device__ inline void let_next_start() {
#if __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

/// Waits until all memory the kernels before wrote can be read; nothing of theirs may be read earlier.
__device__ inline void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}

__device__ inline float warp_sum(float value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(~0U, value, distance);
  return value;
}

__device__ inline float warp_max(float value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value = fmaxf(value, __shfl_xor_sync(~0U, value, distance));
  }
  return value;
}

/// The type activations have for products with an Element's weights.
template <Element>
struct Operand {
  using Type = float;
};
template <>
struct Operand<Element::BF16> {
  using Type = __nv_bfloat16;
};
template <>
struct Operand<Element::Int8> {
  using Type = __half;
};

constexpr float kLargestHalf = 65504.0F;

/// Stores an activation; an f16 that would overflow is cut, and counted.
__device__ inline void store(float& place, float value, int*) { place = value; }
__device__ inline void store(__nv_bfloat16& place, float value, int*) { place = __float2bfloat16(value); }
__device__ inline void store(__half& place, float value, int* overflows) {
  if (fabsf(value) > kLargestHalf) {
    if (overflows != nullptr) atomicAdd(overflows, 1);
    value = copysignf(kLargestHalf, value);
  }
  place = __float2half(value);
}

/// Index of feature k of a column in tiled activations.
__device__ inline int activation_index(int k, int column, int columns) {
  return (k / kTileDepth * columns + column) * kTileDepth + k % kTileDepth;
}

/// What a device allows.
struct Limits {
  int major = 0;  ///< Compute capability.
  int multiprocessors = 0;
  int shared = 0;  ///< Bytes of shared memory a block may ask for.
  explicit Limits(int device) {
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
    cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
};

/// Of the current device: a machine may have several kinds.
inline const Limits& limits() {
  static const std::vector<Limits> all = [] {
    int count = 0;
    cudaGetDeviceCount(&count);
    std::vector<Limits> found;
    for (int device = 0; device < count; ++device) found.emplace_back(device);
    return found;
  }();
  int device = 0;
  cudaGetDevice(&device);
  return all[static_cast<size_t>(device)];
}

/// Lets a kernel take `bytes` of shared memory; 0 or a cudaError_t.
template <typename... Parameters>
[[nodiscard]] int allow_shared(void (*kernel)(Parameters...), size_t bytes) {
  constexpr size_t unasked = 40 * 1024;  // 48 with what the kernel declares itself.
  if (bytes <= unasked) return 0;
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
}

/// Launch settings of one kernel; `cluster`: blocks of a cluster.
struct Launch {
  Launch(dim3 grid, dim3 block, size_t shared, bool overlap, void* stream, unsigned cluster = 1) {
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = static_cast<cudaStream_t>(stream);
    config.attrs = attributes;
    if (overlap) {
      cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
      attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
      attribute.val.programmaticStreamSerializationAllowed = 1;
    }
    if (cluster > 1) {
      cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
      attribute.id = cudaLaunchAttributeClusterDimension;
      attribute.val.clusterDim = {cluster, 1, 1};
    }
  }
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
  template <typename... Parameters, typename... Arguments>
  [[nodiscard]] int operator()(void (*kernel)(Parameters...), const Arguments&... arguments) const {
    return static_cast<int>(cudaLaunchKernelEx(&config, kernel, arguments...));
  }
  cudaLaunchConfig_t config{};
  cudaLaunchAttribute attributes[2]{};
};

}  // namespace moshi::cuda
