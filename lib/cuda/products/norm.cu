// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/norm.h"

#include "cuda/device.cuh"
#include "cuda/products/norm.cuh"

namespace moshi::cuda {
namespace {

/// The block's sum of `value`, in one order.
__device__ inline float block_sum(float value) {
  __shared__ float sums[kNormLines];
  value = warp_sum(value);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

/// One block a column; `values` has room for it.
template <Element E>
__global__ void __launch_bounds__(kNormThreads)
    norm_kernel(const float* x, Norm norm, Activations out, int* overflows) {
  extern __shared__ float values[];
  __shared__ float lines[kNormLines];
  const int column = blockIdx.x;
  const float* own = x + static_cast<size_t>(column) * out.depth;
  auto* place = static_cast<typename Operand<E>::Type*>(out.values);
  const auto write = [&](int k, float value) {
    store(place[activation_index(k, column, out.columns)], value, overflows);
  };
  let_next_start();
  wait_for_previous();
  const bool plain = !norm.none && !norm.mean;
  float sum = 0;
  float squares[1];
  sum_squares<kNormLines>(own, out.depth, threadIdx.x / kWarp, squares, [&](int k, float4 v) {
    if (plain) v = weighted(v, norm.weight + k);
    sum += v.x + v.y + v.z + v.w;
    *reinterpret_cast<float4*>(values + k) = v;
  });
  if (norm.none) {
    __syncthreads();
    for (int k = threadIdx.x; k < out.depth; k += kNormThreads) write(k, values[k]);
    return;
  }
  if (norm.mean) {
    const float mean = block_sum(sum) / static_cast<float>(out.depth);
    squares[0] = 0;
    for (int k = threadIdx.x; k < out.depth; k += kNormThreads) {
      const float distance = values[k] - mean;
      squares[0] = fmaf(distance, distance, squares[0]);
      values[k] = distance * norm.weight[k];
    }
    squares[0] = warp_sum(squares[0]);
  }
  if (threadIdx.x % kWarp == 0) lines[threadIdx.x / kWarp] = squares[0];
  __syncthreads();
  const float scale = norm_scale(lines, out.depth, norm.epsilon);
  for (int k = threadIdx.x; k < out.depth; k += kNormThreads) {
    const float value = __fmul_rn(values[k], scale);
    write(k, norm.bias != nullptr ? __fadd_rn(value, norm.bias[k]) : value);
  }
}

}  // namespace

int normalize(const float* x, const Norm& norm, const Activations& out, Element element, int* overflows,
              bool overlap, void* stream) {
  const auto start = [&](auto* kernel) {
    const size_t shared = sizeof(float) * static_cast<size_t>(out.depth);
    const int status = allow_shared(kernel, shared);
    if (status != 0) return status;
    return Launch(out.columns, kNormThreads, shared, overlap, stream)(kernel, x, norm, out, overflows);
  };
  switch (element) {
    case Element::BF16:
      return start(norm_kernel<Element::BF16>);
    case Element::Int8:
      return start(norm_kernel<Element::Int8>);
    case Element::F32:
      break;
  }
  return start(norm_kernel<Element::F32>);
}

}  // namespace moshi::cuda
