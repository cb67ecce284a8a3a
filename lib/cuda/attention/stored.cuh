// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Keys and values as they are kept in pages, and how a warp has some of them at a time.
#pragma once

#include <cuda_pipeline.h>

#include <type_traits>

#include "cuda/attention/attention.h"
#include "cuda/device.cuh"

namespace moshi::cuda {

/// 16-byte loads that a lane has on the way together, at most.
constexpr int kMostLoads = 8;

/// The type of a value in a page.
template <Stored>
struct Value {
  using Type = float;
};
template <>
struct Value<Stored::BF16> {
  using Type = __nv_bfloat16;
};
template <>
struct Value<Stored::Int8> {
  using Type = uint8_t;
};

/// 16 bytes of values as f32, Int8 without its scale.
__device__ inline void unpack(const uint4& raw, float (&values)[4]) {
  const uint32_t words[] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) values[i] = __uint_as_float(words[i]);
}
__device__ inline void unpack(const uint4& raw, float (&values)[8]) {
  const uint32_t words[] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = __uint_as_float(words[i] << 16);
    values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000U);
  }
}
__device__ inline void unpack(const uint4& raw, float (&values)[16]) {
  const uint32_t words[] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    // As the last byte of 2^23, which counts ones there.
    const uint32_t counted = __byte_perm(words[i / 4], 0x4B000000U, 0x7440U + i % 4);
    values[i] = __uint_as_float(counted) - (8388608.0F + 128.0F);
  }
}

/// Starts copying the first `bytes` of 16 to shared memory, and zeros for the others. Nobody reads them again
/// for long.
__device__ inline void start_copy(void* to, const void* from, int bytes) {
#if __CUDA_ARCH__ >= 800
  uint64_t policy = 0;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  // Past the first cache: its line may be older than what another kernel wrote.
  asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2, %3;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(bytes), "l"(policy)
               : "memory");
#else
  __pipeline_memcpy_async(to, from, 16, 16 - bytes);
#endif
}

/// A value as it is kept; `inverse`: one over Int8's scale.
__device__ inline void keep(float& place, float value, float) { place = value; }
__device__ inline void keep(__nv_bfloat16& place, float value, float) { place = __float2bfloat16(value); }
__device__ inline void keep(uint8_t& place, float value, float inverse) {
  place = static_cast<uint8_t>(__float2int_rn(value * inverse) + 128);
}

/// One head's keys or values in a page.
template <Stored S, int HeadDim>
struct Kept {
  using T = typename Value<S>::Type;
  char* first;
  __device__ T* entry(int i) const { return reinterpret_cast<T*>(first) + i % kPagePositions * HeadDim; }
  /// Int8's.
  __device__ float* scale(int i) const {
    constexpr int64_t behind = static_cast<int64_t>(kPagePositions) * HeadDim * sizeof(T);
    return reinterpret_cast<float*>(first + behind) + i % kPagePositions;
  }
  /// Scales are read in fours: entry i's clears those behind it, where it is the `last` that is there.
  __device__ void put_scale(int i, float value, bool last) const {
    if (last && i % 4 == 0) {
      *reinterpret_cast<float4*>(scale(i)) = make_float4(value, 0, 0, 0);
    } else {
      *scale(i) = value;
    }
  }
};

/// The pages of a column's conversation, as one head of one layer sees them.
template <Stored S, int HeadDim>
class Past {
 public:
  __device__ Past(const Pages& pages, int layer, int head, int slot)
      : pages_(pages.table + static_cast<int64_t>(slot) * pages.pages_a_slot),
        keys_((static_cast<int64_t>(layer) * 2 * pages.heads + head) * bytes_of_head(S, HeadDim)),
        to_values_(pages.heads * bytes_of_head(S, HeadDim)) {}
  /// Keys (part 0) or values (part 1) of the page that has an entry of the ring.
  __device__ Kept<S, HeadDim> at(int entry, int part) const {
    return {reinterpret_cast<char*>(__ldcg(pages_ + entry / kPagePositions)) + keys_ + part * to_values_};
  }

 private:
  const int64_t* pages_;
  int64_t keys_;
  int64_t to_values_;
};

/// Keys or values of some entries of one page in shared memory: kLanes lanes share an entry, each has 16
/// bytes of it.
template <Stored S, int HeadDim>
struct Stage {
  static constexpr int kValues = 16 / static_cast<int>(sizeof(typename Value<S>::Type));
  static constexpr int kLanes = HeadDim / kValues;
  static constexpr int kAtOnce = kWarp / kLanes;
  static constexpr int kLoads = kLanes < kMostLoads ? kLanes : kMostLoads;
  static constexpr int kEntries = kLoads * kAtOnce;
  static constexpr bool kScaled = S == Stored::Int8;

  uint4 pieces[kLoads][kWarp];
  alignas(16) float scales[kScaled ? kEntries : 1];

  /// Starts copying `kept`'s entries from `first` on: those below `visible` but `newest`.
  __device__ void copy(const Kept<S, HeadDim>& kept, int first, int visible, int newest, int lane) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int entry = first + i * kAtOnce + lane / kLanes;
      start_copy(&pieces[i][lane], kept.entry(entry) + lane % kLanes * kValues,
                 entry < visible && entry != newest ? 16 : 0);
    }
    if constexpr (kScaled) {
      if (lane < kEntries / 4) {
        // The newest one's may be anything; what lies behind it in its four is zero.
        const int there = visible - (newest == visible - 1 ? 1 : 0) - (first + lane * 4);
        start_copy(&scales[lane * 4], kept.scale(first) + lane * 4, there > 0 ? 16 : 0);
      }
    }
  }

  /// Puts an entry in its place.
  __device__ void put(int entry, const typename Value<S>::Type* values, float scale, int lane) {
    if (lane / kLanes == entry % kAtOnce) {
      pieces[entry / kAtOnce][lane] = *reinterpret_cast<const uint4*>(values + lane % kLanes * kValues);
    }
    if (kScaled && lane == entry / 4) scales[entry] = scale;  // Who has copied there before.
  }

  /// The entry whose score a lane has: lane i of those that share entries has the i-th.
  __device__ static int entry_of(int lane) { return lane % kLoads * kAtOnce + lane / kLanes; }
};

}  // namespace moshi::cuda
