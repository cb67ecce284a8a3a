// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One warp's attention, a stage of keys and values after the other.
#pragma once

#include "cuda/attention/stored.cuh"

namespace moshi::cuda {

/// Adds up `Count` values over two lanes at a distance, of which each keeps half: the upper lane the upper.
template <int Count, int Distance, int All>
__device__ inline void fold(float (&values)[All], int lane) {
  const bool upper = (lane & Distance) != 0;
#pragma unroll
  for (int i = 0; i < Count / 2; ++i) {
    const float sent = upper ? values[i] : values[i + Count / 2];
    const float kept = upper ? values[i + Count / 2] : values[i];
    values[i] = kept + __shfl_xor_sync(~0U, sent, Distance);
  }
}

/// fold() over lanes of rising distance up to Last: returns the index of the first value a lane keeps.
template <int Count, int Distance, int Last, int All>
__device__ inline int fold_rising(float (&values)[All], int lane) {
  if constexpr (Distance <= Last) {
    fold<Count, Distance>(values, lane);
    const int first = (lane & Distance) != 0 ? Count / 2 : 0;
    return first + fold_rising<Count / 2, Distance * 2, Last>(values, lane);
  }
  return 0;
}

/// fold() over lanes of falling distance: lane i of Count keeps the i-th.
template <int Count, int All>
__device__ inline void fold_falling(float (&values)[All], int lane) {
  if constexpr (Count > 1) {
    fold<Count, Count / 2>(values, lane);
    fold_falling<Count / 2>(values, lane);
  }
}

__device__ inline float plus(float a, float b) { return a + b; }
__device__ inline float larger(float a, float b) { return fmaxf(a, b); }

/// Over lanes at the distances From, 2 From, ... below To.
template <int From, int To, typename Combine>
__device__ inline float over_lanes(float value, const Combine& combine) {
#pragma unroll
  for (int distance = From; distance < To; distance *= 2) {
    value = combine(value, __shfl_xor_sync(~0U, value, distance));
  }
  return value;
}

/// A warp's attention over the stages it has seen: 2^(score - peak) summed, alone and with the values.
template <Stored S, int HeadDim>
class Chain {
 public:
  using Items = Stage<S, HeadDim>;
  static constexpr int kValues = Items::kValues;
  static constexpr int kLanes = Items::kLanes;
  static constexpr int kLoads = Items::kLoads;

  /// What the lane's entry (Stage::entry_of) of a stage of keys weighs, of the first `count`; `query` is this
  /// lane's part.
  __device__ float weigh(const Items& keys, const float (&query)[kValues], int count, int lane) {
    float dots[kLoads];
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      float key[kValues];
      unpack(keys.pieces[i][lane], key);
      dots[i] = 0;
#pragma unroll
      for (int k = 0; k < kValues; ++k) dots[i] = fmaf(key[k], query[k], dots[i]);
    }
    fold_falling<kLoads>(dots, lane);
    float score = over_lanes<kLoads, kLanes>(dots[0], plus);
    const int entry = Items::entry_of(lane);
    if constexpr (Items::kScaled) score *= keys.scales[entry];
    if (entry >= count) score = -INFINITY;
    const float highest = over_lanes<kLanes, kWarp>(over_lanes<1, kLoads>(score, larger), larger);
    if (highest > peak_) {
      const float less = exp2f(peak_ - highest);
      peak_ = highest;
      sum_ *= less;
#pragma unroll
      for (int k = 0; k < kValues; ++k) out_[k] *= less;
    }
    const float weight = exp2f(score - peak_);
    sum_ += weight;
    return weight;
  }

  /// The values of the same entries.
  __device__ void add(const Items& values, float weight, int lane) {
    if constexpr (Items::kScaled) weight = weight > 0 ? weight * values.scales[Items::entry_of(lane)] : 0.0F;
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const float of_entry = __shfl_sync(~0U, weight, i, kLanes);
      float value[kValues];
      unpack(values.pieces[i][lane], value);
#pragma unroll
      for (int k = 0; k < kValues; ++k) out_[k] = fmaf(of_entry, value[k], out_[k]);
    }
  }

  /// Leaves the sums in shared memory, and begins anew.
  __device__ void finish(float* values, float& peak, float& sum, int lane) {
    const int first = lane % kLanes * kValues + fold_rising<kValues, kLanes, kWarp / 2>(out_, lane);
#pragma unroll
    for (int k = 0; k < kValues / Items::kAtOnce; ++k) values[first + k] = out_[k];
    sum = over_lanes<kLanes, kWarp>(over_lanes<1, kLoads>(sum_, plus), plus);
    peak = peak_;
    *this = {};
  }

 private:
  float peak_ = -INFINITY;
  float sum_ = 0;  ///< Of the lane's entries.
  float out_[kValues] = {};
};

}  // namespace moshi::cuda
