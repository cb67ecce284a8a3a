// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the kernels of convolutions share.
#pragma once

#include "cuda/codec/convolve.h"
#include "cuda/device.cuh"

namespace moshi::cuda {

constexpr int kChunkPieces = kChunk / 4;  // Of 16 bytes.

/// Where a column's window lies: value k at past + k before `split`, else at fresh + k.
struct alignas(16) Place {
  const float* past = nullptr;   // Null: nothing was before.
  const float* fresh = nullptr;  // Null: there is no such column.
  int split = 0;
};

/// What a layer remembered of a stream before a frame, and where it remembers for the next: two halves of
/// `size` values at `offset`, which frames use in turns. Null before the stream's first frame, and for
/// nobody's.
__device__ inline const float* remembered(const Streams& streams, int stream, int64_t offset, int size) {
  const int frame = streams.frames[stream];
  const float* memory = streams.memories[stream];
  return memory == nullptr || frame == 0 ? nullptr : memory + offset + frame % 2 * size;
}
__device__ inline float* to_remember(const Streams& streams, int stream, int64_t offset, int size) {
  float* memory = streams.memories[stream];
  return memory == nullptr ? nullptr : memory + offset + (streams.frames[stream] + 1) % 2 * size;
}

/// The window of a stream's [history, steps] that begins with value `start`.
__device__ inline Place place_of(const Windows& x, const Streams& streams, int stream, int start) {
  Place place;
  const float* past = remembered(streams, stream, x.past, x.remembered());
  place.past = past == nullptr ? nullptr : past + start;
  place.fresh = x.steps + static_cast<int64_t>(stream) * x.count * x.channels + start - x.remembered();
  place.split = x.remembered() - start;
  return place;
}

__device__ inline Place place_of(const Windows& x, const Streams& streams, int column) {
  const int stream = column / x.columns();
  if (stream >= streams.count) return {};
  return place_of(x, streams, stream, column % x.columns() * x.stride * x.channels);
}

/// How windows can be read: in pieces of 16 bytes, which may lie in order; else value by value.
enum class Reading { Ordered, Pieces, Any };
__host__ __device__ inline Reading reading_of(const Windows& x) {
  if (x.channels % 4 != 0) return Reading::Any;
  return x.dilation == 1 && !x.repeat_first ? Reading::Ordered : Reading::Pieces;
}

/// Address of value k of a column of `depth` values that lie in order; null: zero.
__device__ inline const float* ordered_value(const Place& place, int depth, int k) {
  const float* from = k < place.split ? place.past : place.fresh;
  return from == nullptr || k >= depth ? nullptr : from + k;
}

/// Address of value `at` counted from the place's start; null: zero.
__device__ inline const float* step_value(const Windows& x, const Place& place, int at) {
  if (at >= place.split) return place.fresh + at;
  if (place.past != nullptr) return place.past + at;
  return x.repeat_first ? place.fresh + place.split + at % x.channels : nullptr;
}

/// Address of value k of any column; null: zero.
__device__ inline const float* window_value(const Windows& x, const Place& place, int k) {
  if (place.fresh == nullptr || k >= x.kernel * x.channels) return nullptr;
  const int skipped = x.dilation > 1 ? k / x.channels * (x.dilation - 1) * x.channels : 0;
  return step_value(x, place, k + skipped);
}

/// Four values from k on, past the first cache: the kernel before may still have run beside this one.
template <Reading How>
__device__ inline float4 load_piece(const Windows& x, const Place& place, int depth, int k) {
  float4 piece = make_float4(0, 0, 0, 0);
  if constexpr (How != Reading::Any) {
    const float* from = How == Reading::Ordered ? ordered_value(place, depth, k) : window_value(x, place, k);
    if (from != nullptr) piece = __ldcg(reinterpret_cast<const float4*>(from));
  } else {
    float* values = &piece.x;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float* from = window_value(x, place, k + i);
      if (from != nullptr) values[i] = __ldcg(from);
    }
  }
  return piece;
}

__device__ inline void add_products(const float4& w, const float4& x, float& sum) {
  sum = fmaf(w.x, x.x, sum);
  sum = fmaf(w.y, x.y, sum);
  sum = fmaf(w.z, x.z, sum);
  sum = fmaf(w.w, x.w, sum);
}

__device__ inline float curved(Curve curve, float alpha, float y) {
  if (curve == Curve::Gelu) return 0.5F * y * (1.0F + erff(y * 0.70710678118654752F));
  const float below = alpha * expm1f(fminf(y, 0.0F));  // Without a branch.
  return y > 0 ? y : below;
}

/// What a result is made of besides its sum, read ahead of it.
template <typename Value>
struct Besides {
  Value bias{};
  Value scale{};
  Value residual{};
};

template <typename Value>
__device__ inline Besides<Value> besides(const Filter& filter, const Results& results, int row, int column) {
  const auto load = [](const float* from) { return *reinterpret_cast<const Value*>(from); };
  Besides<Value> ahead;
  if (filter.bias != nullptr) ahead.bias = load(filter.bias + row);
  if (results.residual != nullptr) {
    const float* from = results.residual + static_cast<size_t>(column) * filter.rows + row;
    if (results.scale != nullptr) ahead.scale = load(results.scale + row);
    ahead.residual = __ldcg(reinterpret_cast<const Value*>(from));
  }
  return ahead;
}

__device__ inline float finished(const Filter& filter, const Results& results, float y, float bias,
                                 float scale, float residual) {
  if (filter.bias != nullptr) y += bias;
  if (results.residual != nullptr) y = results.scale != nullptr ? fmaf(scale, y, residual) : y + residual;
  return y;
}

/// Sends one sum on its way.
__device__ inline void emit(const Filter& filter, const Results& results, const Besides<float>& ahead,
                            int row, int column, float y) {
  const size_t at = static_cast<size_t>(column) * filter.rows + row;
  y = finished(filter, results, y, ahead.bias, ahead.scale, ahead.residual);
  if (results.plain != nullptr) results.plain[at] = y;
  if (results.active != nullptr) results.active[at] = curved(results.curve, results.alpha, y);
}

/// Sends the sums of four rows on their way, where rows come in fours.
__device__ inline void emit(const Filter& filter, const Results& results, const Besides<float4>& ahead,
                            int row, int column, float4 y) {
  const size_t at = static_cast<size_t>(column) * filter.rows + row;
  y.x = finished(filter, results, y.x, ahead.bias.x, ahead.scale.x, ahead.residual.x);
  y.y = finished(filter, results, y.y, ahead.bias.y, ahead.scale.y, ahead.residual.y);
  y.z = finished(filter, results, y.z, ahead.bias.z, ahead.scale.z, ahead.residual.z);
  y.w = finished(filter, results, y.w, ahead.bias.w, ahead.scale.w, ahead.residual.w);
  if (results.plain != nullptr) *reinterpret_cast<float4*>(results.plain + at) = y;
  if (results.active != nullptr) {
    const auto curve = [&](Curve kind, float value) { return curved(kind, results.alpha, value); };
    const auto curve_all = [&](Curve kind) {
      return make_float4(curve(kind, y.x), curve(kind, y.y), curve(kind, y.z), curve(kind, y.w));
    };
    *reinterpret_cast<float4*>(results.active + at) =
        results.curve == Curve::Gelu ? curve_all(Curve::Gelu) : curve_all(Curve::Elu);
  }
}

template <typename Value>
__device__ inline void remember_as(const Windows& x, const Streams& streams, int block, int blocks) {
  constexpr int kValues = sizeof(Value) / sizeof(float);
  const int size = x.remembered();
  const int pieces = size / kValues;
  const int threads = blocks * blockDim.x;
  for (int i = block * blockDim.x + threadIdx.x; i < streams.count * pieces; i += threads) {
    const int stream = i / pieces;
    const int at = i % pieces * kValues;
    float* memory = to_remember(streams, stream, x.past, size);
    if (memory == nullptr) continue;
    const float* from = step_value(x, place_of(x, streams, stream, 0), at + x.count * x.channels);
    *reinterpret_cast<Value*>(memory + at) =
        from != nullptr ? __ldcg(reinterpret_cast<const Value*>(from)) : Value{};
  }
}

/// Remembers the last steps of [history, steps] for the next frame, in the part of `block` of `blocks`.
__device__ inline void remember(const Windows& x, const Streams& streams, int block, int blocks) {
  if (x.channels % 4 == 0 && x.past % 4 == 0) {
    remember_as<float4>(x, streams, block, blocks);
  } else {
    remember_as<float>(x, streams, block, blocks);
  }
}

/// Values of a column in shared memory, where chunks lie in different banks.
struct ChunkedColumn {
  static constexpr int kPitch = kChunk + 4;
  float* values;
  __device__ float& operator[](int i) const { return values[i / kChunk * kPitch + i % kChunk]; }
};

/// One warp normalises `depth` values.
template <typename From, typename To>
__device__ inline void normalize_column(const From& from, int depth, const ColumnNorm& norm, int lane,
                                        To to) {
  float mean = 0;
  if (norm.bias != nullptr) {
    for (int i = lane; i < depth; i += kWarp) mean += from[i];
    mean = warp_sum(mean) / static_cast<float>(depth);
  }
  float squares = 0;
  for (int i = lane; i < depth; i += kWarp) {
    const float distance = from[i] - mean;
    squares = fmaf(distance, distance, squares);
  }
  const float scale = rsqrtf(warp_sum(squares) / static_cast<float>(depth) + norm.epsilon);
  for (int i = lane; i < depth; i += kWarp) {
    to[i] = fmaf((from[i] - mean) * scale, norm.weight[i], norm.bias != nullptr ? norm.bias[i] : 0.0F);
  }
}

/// The kernels, by how many columns there are: see convolve_narrow.cu and convolve_tiled.cu.
int convolve_narrow(const Filter& filter, const Windows& windows, const Streams& streams,
                    const ColumnNorm& norm, const Results& results, bool overlap, void* stream);
int convolve_tiled(const Filter& filter, const Windows& windows, const Streams& streams,
                   const Results& results, bool overlap, void* stream);

}  // namespace moshi::cuda
