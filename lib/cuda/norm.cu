// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/device.cuh"
#include "cuda/norm.h"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 256;

/// The block's sum of `value`, in one order whatever the grid.
__device__ inline float block_sum(float value) {
  __shared__ float sums[kThreads / kWarp];
  value = warp_sum(value);
  __syncthreads();  // The last sum has been read.
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

/// One block a column.
template <Element E>
__global__ void __launch_bounds__(kThreads)
    norm_kernel(const float* x, Norm norm, Activations out, int* overflows) {
  const int column = blockIdx.x;
  const float* values = x + static_cast<size_t>(column) * out.depth;
  let_next_start();
  wait_for_previous();
  auto* place = static_cast<typename Operand<E>::Type*>(out.values);
  if (norm.none) {
    for (int i = threadIdx.x; i < out.depth; i += kThreads) {
      store(place[activation_index(i, column, out.columns)], __ldcg(values + i), overflows);
    }
    return;
  }
  float mean = 0;
  if (norm.mean) {
    for (int i = threadIdx.x; i < out.depth; i += kThreads) mean += __ldcg(values + i);
    mean = block_sum(mean) / static_cast<float>(out.depth);
  }
  float squares = 0;
  for (int i = threadIdx.x; i < out.depth; i += kThreads) {
    const float distance = __ldcg(values + i) - mean;
    squares = fmaf(distance, distance, squares);
  }
  const float scale = rsqrtf(block_sum(squares) / static_cast<float>(out.depth) + norm.epsilon);
  for (int i = threadIdx.x; i < out.depth; i += kThreads) {
    float value = (__ldcg(values + i) - mean) * (norm.weight[i] * scale);
    if (norm.bias != nullptr) value += norm.bias[i];
    store(place[activation_index(i, column, out.columns)], value, overflows);
  }
}

}  // namespace

int normalize(const float* x, const Norm& norm, const Activations& out, Element element, int* overflows,
              bool overlap, void* stream) {
  const Launch launch(out.columns, kThreads, 0, overlap, stream);
  switch (element) {
    case Element::BF16:
      return launch(norm_kernel<Element::BF16>, x, norm, out, overflows);
    case Element::Int8:
      return launch(norm_kernel<Element::Int8>, x, norm, out, overflows);
    case Element::F32:
      break;
  }
  return launch(norm_kernel<Element::F32>, x, norm, out, overflows);
}

}  // namespace moshi::cuda
