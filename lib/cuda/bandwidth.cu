// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/bandwidth.h"
#include "cuda/device.cuh"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kBlocksPerMultiprocessor = 4;
constexpr int kLoads = 4;  ///< Of a thread at a time.

__global__ void __launch_bounds__(kThreads) read_kernel(const uint4* data, size_t count, float* sink) {
  const size_t stride = static_cast<size_t>(gridDim.x) * kThreads;
  unsigned sum = 0;
  const auto add = [&](const uint4& value) { sum ^= value.x ^ value.y ^ value.z ^ value.w; };
  size_t i = static_cast<size_t>(blockIdx.x) * kThreads + threadIdx.x;
  for (; i + (kLoads - 1) * stride < count; i += kLoads * stride) {
    uint4 values[kLoads];
#pragma unroll
    for (int load = 0; load < kLoads; ++load) values[load] = __ldcs(data + i + load * stride);
#pragma unroll
    for (int load = 0; load < kLoads; ++load) add(values[load]);
  }
  for (; i < count; i += stride) add(__ldcs(data + i));
  // Depends on what was read, so that it is; never true, since `sink` holds 0.
  if (sum == 0xffffffff && *sink > 0) *sink = 0;
}

}  // namespace

int read_all(const void* data, size_t bytes, float* sink, void* stream) {
  read_kernel<<<limits().multiprocessors * kBlocksPerMultiprocessor, kThreads, 0,
                static_cast<cudaStream_t>(stream)>>>(static_cast<const uint4*>(data), bytes / sizeof(uint4),
                                                     sink);
  return static_cast<int>(cudaGetLastError());
}

}  // namespace moshi::cuda
