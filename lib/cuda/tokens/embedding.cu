// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/device.cuh"
#include "cuda/tokens/embedding.h"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 128;
/// Rows that are on the way together.
constexpr int kAhead = 8;

__global__ void __launch_bounds__(kThreads)
    embed_kernel(EmbeddingSum sum, const int* tokens, const int* slots, float* x) {
  const int column = blockIdx.y;
  const int feature = blockIdx.x * kThreads + threadIdx.x;
  let_next_start();
  wait_for_previous();
  if (feature >= sum.dim) return;
  const int slot = __ldcg(slots + column);
  float value = 0;
  for (int first = 0; first < sum.streams; first += kAhead) {
    int rows[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      rows[i] = first + i < sum.streams ? __ldcg(tokens + column * sum.streams + first + i) : -1;
    float values[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (rows[i] < 0) continue;
      const void* table = sum.tables[first + i];
      const size_t index = static_cast<size_t>(rows[i]) * sum.dim + feature;
      values[i] = sum.bf16 ? __bfloat162float(static_cast<const __nv_bfloat16*>(table)[index])
                           : static_cast<const float*>(table)[index];
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (rows[i] >= 0) value += values[i];
    }
  }
  if (sum.conditions != nullptr && slot >= 0)
    value += sum.conditions[static_cast<size_t>(slot) * sum.dim + feature];
  x[static_cast<size_t>(column) * sum.dim + feature] = value;
}

}  // namespace

int embed(const EmbeddingSum& sum, const int* tokens, const int* slots, int columns, float* x, bool overlap,
          void* stream) {
  const dim3 grid((sum.dim + kThreads - 1) / kThreads, columns);
  return Launch(grid, kThreads, 0, overlap, stream)(embed_kernel, sum, tokens, slots, x);
}

}  // namespace moshi::cuda
