// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Tiles of weights in a warp's registers, and their products with tensor cores.
#pragma once

#include "cuda/device.cuh"

namespace moshi::cuda {

constexpr int kChains = 8;  // A warp each.
constexpr int kTileColumns = 8;

/// 16 bytes that are read once: not kept in the first cache.
__device__ inline uint4 load_once(const void* address) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(address));
  return v;
}

/// One lane's part of one tile.
template <Element E>
struct Fragment {
  static constexpr int kPieces = E == Element::F32 ? 4 : E == Element::BF16 ? 2 : 1;
  static constexpr int kTileBytes = kPieces * kWarp * 16;
  uint4 pieces[kPieces];
  __device__ void load(const char* tile, int lane) {
#pragma unroll
    for (int i = 0; i < kPieces; ++i) pieces[i] = load_once(tile + (i * kWarp + lane) * 16);
  }
  __device__ void load_shared(const char* tile, int lane) {
#pragma unroll
    for (int i = 0; i < kPieces; ++i)
      pieces[i] = *reinterpret_cast<const uint4*>(tile + (i * kWarp + lane) * 16);
  }
};

/// Two of four bytes (values plus 128) as f16: prmt puts them under the exponent of 1024.
__device__ inline unsigned half_pair(unsigned bytes, unsigned selector) {
  const unsigned raised = __byte_perm(bytes, 0x64646464U, selector);
  const __half2 value = __hsub2(*reinterpret_cast<const __half2*>(&raised), __float2half2_rn(1152.0F));
  return *reinterpret_cast<const unsigned*>(&value);
}

template <Element E>
__device__ inline void mma(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if __CUDA_ARCH__ >= 800
  if constexpr (E == Element::BF16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
#endif
}

/// The registers of mma's weights for half h of a tile.
template <Element E>
__device__ inline void weights_of(const Fragment<E>& fragment, int h, unsigned (&a)[4]) {
  if constexpr (E == Element::BF16) {
    const uint4 v = fragment.pieces[h];
    a[0] = v.x, a[1] = v.y, a[2] = v.z, a[3] = v.w;
  } else {
    const uint4 v = fragment.pieces[0];
    const unsigned first = h == 0 ? v.x : v.z;
    const unsigned second = h == 0 ? v.y : v.w;
    a[0] = half_pair(first, 0x4240), a[1] = half_pair(first, 0x4341);
    a[2] = half_pair(second, 0x4240), a[3] = half_pair(second, 0x4341);
  }
}

/// A warp's sums of one row group: mma's layout, a lane has rows g, g + 8 of columns 2 t, 2 t + 1.
template <Element E, int ColumnTiles>
struct TensorSums {
  float sums[ColumnTiles][4] = {};

  /// x: what lane (g, t) multiplies, column g of each column tile at k = 8 t to 8 t + 7.
  __device__ void add(const Fragment<E>& weights, const uint4 (&x)[ColumnTiles]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      unsigned a[4];
      weights_of(weights, h, a);
#pragma unroll
      for (int tile = 0; tile < ColumnTiles; ++tile) {
        mma<E>(sums[tile], a, h == 0 ? x[tile].x : x[tile].z, h == 0 ? x[tile].y : x[tile].w);
      }
    }
  }
  /// To `part` [16][stride].
  __device__ void store(float* part, int stride, int lane) const {
    const int g = lane / 4;
    const int t = lane % 4;
#pragma unroll
    for (int tile = 0; tile < ColumnTiles; ++tile) {
      float* place = part + g * stride + tile * kTileColumns + 2 * t;
      place[0] = sums[tile][0];
      place[1] = sums[tile][1];
      place[8 * stride] = sums[tile][2];
      place[8 * stride + 1] = sums[tile][3];
    }
  }
};

}  // namespace moshi::cuda
