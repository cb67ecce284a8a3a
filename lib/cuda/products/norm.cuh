// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One order of summing a column's squares, however many warps share it: 16 lines of 32 lanes, each lane of
// line i over pieces of 4 features i, i + 16, ... of 128; a line's lanes by halves, the lines in order.
#pragma once

#include "cuda/device.cuh"
#include "cuda/products/norm.h"

namespace moshi::cuda {

/// A norm that products may take for themselves.
[[nodiscard]] inline bool is_plain_rms(const Norm& norm) {
  return !norm.none && !norm.mean && norm.bias == nullptr;
}

constexpr int kNormLines = 16;
constexpr int kNormThreads = kNormLines * kWarp;

__device__ inline float4 load_four(const float* x) { return __ldcg(reinterpret_cast<const float4*>(x)); }

__device__ inline float4 weighted(float4 v, const float* weight) {
  const float4 w = *reinterpret_cast<const float4*>(weight);
  return make_float4(v.x * w.x, v.y * w.y, v.z * w.z, v.w * w.w);
}

/// Calls `use(k, values)` for the pieces of a column that this warp, number `warp` of `Warps`, has, and
/// returns the sums of the squares of its lines `warp + i * Warps`, each whole in every lane.
template <int Warps, typename Use>
__device__ inline void sum_squares(const float* x, int depth, int warp, float (&lines)[kNormLines / Warps],
                                   const Use& use) {
  constexpr int kLines = kNormLines / Warps;
  constexpr int kPiece = 4 * kWarp;
#pragma unroll
  for (float& line : lines) line = 0;
#pragma unroll kLines < 4 ? 2 : 1
  for (int base = warp * kPiece + threadIdx.x % kWarp * 4; base < depth; base += kNormLines * kPiece) {
    float4 values[kLines];
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      const int k = base + i * Warps * kPiece;
      values[i] = k < depth ? load_four(x + k) : make_float4(0, 0, 0, 0);
    }
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      const float4 v = values[i];
      lines[i] = fmaf(v.x, v.x, lines[i]);
      lines[i] = fmaf(v.y, v.y, lines[i]);
      lines[i] = fmaf(v.z, v.z, lines[i]);
      lines[i] = fmaf(v.w, v.w, lines[i]);
      const int k = base + i * Warps * kPiece;
      if (k < depth) use(k, v);
    }
  }
#pragma unroll
  for (float& line : lines) line = warp_sum(line);
}

/// The factor that gives a column the variance 1, from its lines' sums.
__device__ inline float norm_scale(const float* lines, int depth, float epsilon) {
  float sum = lines[0];
#pragma unroll
  for (int i = 1; i < kNormLines; ++i) sum += lines[i];
  return rsqrtf(__fadd_rn(sum / static_cast<float>(depth), epsilon));
}

}  // namespace moshi::cuda
