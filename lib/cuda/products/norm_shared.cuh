// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A norm that every block of a product computes for itself.
#pragma once

#include "cuda/products/norm.cuh"

namespace moshi::cuda {

/// Norms `columns` columns, `Warps` of a block's `BlockWarps` warps each, and calls
/// `use(k, column, values)` for pieces of 4 features. `weight`: the norm's, wherever it is; `raw`: room for
/// the columns.
template <int BlockWarps, int Warps, typename Use>
__device__ inline void normalize_columns(const float* x, const float* weight, float epsilon, int columns,
                                         int depth, float* raw, const Use& use) {
  __shared__ float sums[BlockWarps / Warps][kNormLines];
  const int column = threadIdx.x / kWarp / Warps;
  const int warp = threadIdx.x / kWarp % Warps;
  const int lane = threadIdx.x % kWarp;
  float* own = raw + static_cast<size_t>(column) * depth;
  if (column < columns) {
    float lines[kNormLines / Warps];
    sum_squares<Warps>(x + static_cast<size_t>(column) * depth, depth, warp, lines, [&](int k, float4 v) {
      *reinterpret_cast<float4*>(own + k) = weighted(v, weight + k);
    });
#pragma unroll
    for (int i = 0; i < kNormLines / Warps; ++i) {
      if (lane == 0) sums[column][warp + i * Warps] = lines[i];
    }
  }
  __syncthreads();
  if (column < columns) {
    const float scale = norm_scale(sums[column], depth, epsilon);
    for (int k = (warp * kWarp + lane) * 4; k < depth; k += Warps * kWarp * 4) {
      const float4 v = *reinterpret_cast<const float4*>(own + k);
      use(k, column,
          make_float4(__fmul_rn(v.x, scale), __fmul_rn(v.y, scale), __fmul_rn(v.z, scale),
                      __fmul_rn(v.w, scale)));
    }
  }
  __syncthreads();
}

/// Likewise, with the warps shared evenly by up to MostColumns columns.
template <int BlockWarps, int MostColumns, typename Use>
__device__ inline void normalize_shared(const float* x, const float* weight, float epsilon, int columns,
                                        int depth, float* raw, const Use& use) {
  const auto share = [&]<int Warps>() {
    normalize_columns<BlockWarps, Warps>(x, weight, epsilon, columns, depth, raw, use);
  };
  if (columns == 1) return share.template operator()<BlockWarps>();
  if (MostColumns == 2 || columns == 2) return share.template operator()<BlockWarps / 2>();
  if constexpr (MostColumns > 2) {
    if (columns <= 4) return share.template operator()<BlockWarps / 4>();
    share.template operator()<BlockWarps / MostColumns>();
  }
}

/// Stores 4 features of a column as operands: as store() does, which is seldom asked.
template <Element E>
__device__ inline void store_four(typename Operand<E>::Type* place, float4 v, int* overflows) {
  uint2 kept;
  if constexpr (E == Element::Int8) {
    const float largest = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
    if (largest > kLargestHalf) {
      int count = 0;
      for (float* value : {&v.x, &v.y, &v.z, &v.w}) {
        if (fabsf(*value) <= kLargestHalf || isnan(*value)) continue;
        *value = copysignf(kLargestHalf, *value);
        ++count;
      }
      if (overflows != nullptr) atomicAdd(overflows, count);
    }
    const __half2 halves[] = {__floats2half2_rn(v.x, v.y), __floats2half2_rn(v.z, v.w)};
    kept = *reinterpret_cast<const uint2*>(halves);
  } else {
    const __nv_bfloat162 halves[] = {__floats2bfloat162_rn(v.x, v.y), __floats2bfloat162_rn(v.z, v.w)};
    kept = *reinterpret_cast<const uint2*>(halves);
  }
  *reinterpret_cast<uint2*>(place) = kept;
}

}  // namespace moshi::cuda
