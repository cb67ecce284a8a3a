// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// How the kernel for up to 8 columns brings weights and activations to where they are multiplied.
#pragma once

#include "cuda/bulk.cuh"
#include "cuda/products/norm_shared.cuh"
#include "cuda/products/output.cuh"

namespace moshi::cuda::streamed {

/// A warp for every chain, and one that brings weights.
constexpr int kMultiplying = kChains * kWarp;
constexpr int kThreads = kMultiplying + kWarp;
/// Row groups that are multiplied together: a warp makes the sums of one while the other's are on the way.
constexpr int kTogether = 2;
constexpr int kStageBytes = 16 * 1024;
/// Most columns of a norm inside (measured on an H200), and features, which are kept in registers.
constexpr int kMostNormed = 2;
constexpr int kNormSteps = 2;
constexpr int kNormStep = 4 * kNormThreads;

/// Tiles of a chain and a row group in one stage.
template <Element E>
constexpr int kAhead = kStageBytes / (kTogether * kChains * Fragment<E>::kTileBytes);

/// All warps that multiply.
__device__ inline void meet() { asm volatile("bar.sync 1, %0;" ::"n"(kMultiplying) : "memory"); }

/// Copies `count` pieces of operands, many of a thread on the way together.
__device__ inline void copy_operands(const uint4* from, uint4* to, int count) {
  constexpr int kAtOnce = 8;
  for (int first = threadIdx.x; first < count; first += kAtOnce * kMultiplying) {
    uint4 pieces[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (first + i * kMultiplying < count) pieces[i] = __ldcg(from + first + i * kMultiplying);
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      if (first + i * kMultiplying < count) to[first + i * kMultiplying] = pieces[i];
    }
  }
  meet();
}

/// Norms Columns columns to operands in shared memory.
template <Element E, int Columns>
__device__ inline void norm_operands(const float* x, const Norm& norm, int depth,
                                     typename Operand<E>::Type* operands, int* overflows) {
  constexpr int kLines = kNormLines / kChains;
  constexpr int kLineStep = kChains * 4 * kWarp;
  __shared__ float sums[Columns][kNormLines];
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const auto for_pieces = [&](const auto& use) {
#pragma unroll
    for (int step = 0; step < kNormSteps; ++step) {
#pragma unroll
      for (int i = 0; i < kLines; ++i) {
        const int k = step * kNormStep + i * kLineStep + static_cast<int>(threadIdx.x) * 4;
        if (k < depth) use(step, i, k);
      }
    }
  };
  float4 weights[kNormSteps][kLines];
  for_pieces(
      [&](int step, int i, int k) { weights[step][i] = *reinterpret_cast<const float4*>(norm.weight + k); });
  wait_for_previous();
  float4 values[Columns][kNormSteps][kLines];
#pragma unroll
  for (int c = 0; c < Columns; ++c) {
    const float* own = x + static_cast<size_t>(c) * depth;
    for_pieces([&](int step, int i, int k) { values[c][step][i] = load_four(own + k); });
  }
#pragma unroll
  for (int c = 0; c < Columns; ++c) {
    float lines[kLines] = {};  // In the order of sum_squares().
    for_pieces([&](int step, int i, int) {
      float4& v = values[c][step][i];
      const float4 w = weights[step][i];
      lines[i] = fmaf(v.x, v.x, lines[i]);
      lines[i] = fmaf(v.y, v.y, lines[i]);
      lines[i] = fmaf(v.z, v.z, lines[i]);
      lines[i] = fmaf(v.w, v.w, lines[i]);
      v = make_float4(v.x * w.x, v.y * w.y, v.z * w.z, v.w * w.w);
    });
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      lines[i] = warp_sum(lines[i]);
      if (lane == 0) sums[c][warp + i * kChains] = lines[i];
    }
  }
  meet();
#pragma unroll
  for (int c = 0; c < Columns; ++c) {
    const float scale = norm_scale(sums[c], depth, norm.epsilon);
    for_pieces([&](int step, int i, int k) {
      const float4 v = values[c][step][i];
      store_four<E>(operands + activation_index(k, c, Columns),
                    make_float4(__fmul_rn(v.x, scale), __fmul_rn(v.y, scale), __fmul_rn(v.z, scale),
                                __fmul_rn(v.w, scale)),
                    overflows);
    });
  }
  meet();
}

/// Brings the weights of a block's row groups, a stage at a time.
template <Element E>
struct Supply {
  const char* from;  ///< The stage's first row group.
  int tiles;         ///< Of one row group.
  int groups;        ///< Still to bring.
  uint64_t policy = 0;
  int tile = 0;  ///< The stage's first.

  __device__ bool done() const { return groups <= 0; }
  __device__ void bring(char* to, uint64_t* full) {
    constexpr int kStageTiles = kChains * kAhead<E>;
    const int bytes = min(kStageTiles, tiles - tile) * Fragment<E>::kTileBytes;
    const int together = min(kTogether, groups);
    const size_t group_bytes = static_cast<size_t>(tiles) * Fragment<E>::kTileBytes;
    expect(full, together * bytes);
    for (int r = 0; r < together; ++r) {
      const char* source = from + r * group_bytes + static_cast<size_t>(tile) * Fragment<E>::kTileBytes;
      bulk_copy_once(to + r * (kStageBytes / kTogether), source, bytes, full, policy);
    }
    tile += kStageTiles;
    if (tile < tiles) return;
    tile = 0;
    from += kTogether * group_bytes;
    groups -= kTogether;
  }
};

/// Adds a tile's products of some row groups, those of one while another's are still being made.
template <Element E>
__device__ inline void add_together(TensorSums<E, 1> (&sums)[kTogether],
                                    const Fragment<E> (&weights)[kTogether], uint4 x) {
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    unsigned a[kTogether][4];
#pragma unroll
    for (int r = 0; r < kTogether; ++r) weights_of(weights[r], h, a[r]);
#pragma unroll
    for (int r = 0; r < kTogether; ++r) mma<E>(sums[r].sums[0], a[r], h == 0 ? x.x : x.z, h == 0 ? x.y : x.w);
  }
}

}  // namespace moshi::cuda::streamed
