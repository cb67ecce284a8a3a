// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/device.cuh"
#include "cuda/embedding.h"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    embed_kernel(EmbeddingSum sum, const int* tokens, const int* slots, float* x) {
  const int column = blockIdx.y;
  const int feature = blockIdx.x * kThreads + threadIdx.x;
  let_next_start();
  wait_for_previous();
  if (feature >= sum.dim) return;
  float value = 0;
  for (int stream = 0; stream < sum.streams; ++stream) {
    const int token = __ldcg(tokens + column * sum.streams + stream);
    if (token < 0) continue;
    const size_t index = static_cast<size_t>(token) * sum.dim + feature;
    value += sum.bf16 ? __bfloat162float(static_cast<const __nv_bfloat16*>(sum.tables[stream])[index])
                      : static_cast<const float*>(sum.tables[stream])[index];
  }
  const int slot = __ldcg(slots + column);
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
