// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/attention/attention.h"

#include "cuda/attention/chain.cuh"
#include "cuda/attention/stored.cuh"
#include "cuda/device.cuh"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;
/// Blocks that a multiprocessor has room for: as many as shared memory allows, less where they want
/// registers.
constexpr int resident(Stored stored) { return stored == Stored::Int8 ? 4 : 6; }

/// How feature i of a head's vector is turned (reference: moshi/modules/rope.py).
struct Turn {
  int other;  ///< The other feature of its pair.
  float cosine;
  float sine;  ///< With the sign it has for feature i.
};

template <int HeadDim>
__device__ inline Turn turn_of(int i, int position, Rotation rotation, float max_period) {
  if (rotation == Rotation::None) return {i, 1.0F, 0.0F};
  constexpr int kHalf = HeadDim / 2;
  const bool interleaved = rotation == Rotation::Interleaved;
  const int pair = interleaved ? i / 2 : i % kHalf;
  const bool imaginary = interleaved ? i % 2 == 1 : i >= kHalf;
  const float frequency = expf(static_cast<float>(pair) * (-logf(max_period) * 2 / HeadDim));
  Turn turn{interleaved ? i ^ 1 : (i + kHalf) % HeadDim, 0, 0};
  sincosf(frequency * static_cast<float>(position), &turn.sine, &turn.cosine);
  if (!imaginary) turn.sine = -turn.sine;
  return turn;
}

template <Stored S, int HeadDim>
struct Shared {
  Stage<S, HeadDim> stages[kWarps][2];  ///< Keys and values, on the way or being read.
  alignas(16) float query[HeadDim];
  alignas(16) typename Value<S>::Type newest[2][HeadDim];  ///< Key and value of the newest position.
  float scales[2];
  float values[kWarps][HeadDim];
  float peaks[kWarps];
  float sums[kWarps];
  bool last;
};

struct Call {
  const float* qkv;
  Attention attention;
  Pages pages;
  int layer;
  const int* slots;
  const int* positions;
  int most_splits;
  Scratch scratch;
  Activations out;
  Element element;
  int* overflows;

  __device__ void write(float value, int index) const {
    switch (element) {
      case Element::F32:
        store(static_cast<float*>(out.values)[index], value, overflows);
        break;
      case Element::BF16:
        store(static_cast<__nv_bfloat16*>(out.values)[index], value, overflows);
        break;
      case Element::Int8:
        store(static_cast<__half*>(out.values)[index], value, overflows);
    }
  }
};

/// Counts finished splits of a row; before it, all threads wrote theirs. True for the one that finds all
/// there, which may read them.
__device__ inline bool all_there(int* arrivals, int done, int splits) {
  int before = 0;
  asm volatile("atom.add.acq_rel.gpu.global.s32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(arrivals), "r"(done)
               : "memory");
  if (before + done < splits) return false;
  *arrivals = 0;
  return true;
}

/// Adds up the splits of a row in their order, [splits][peak, sum, values]: one feature a thread.
template <int HeadDim>
__device__ inline float add_splits(const float* partials, int splits, int feature) {
  const int lane = threadIdx.x % kWarp;
  float peak = -INFINITY;
  float sum = 0;
  float value = 0;
  for (int first = 0; first < splits; first += kWarp) {
    const float* places = partials + first * (HeadDim + 2);
    const int count = min(kWarp, splits - first);
    const bool mine = lane < count;
    const float own_peak = mine ? __ldcg(places + lane * (HeadDim + 2)) : -INFINITY;
    const float own_sum = mine ? __ldcg(places + lane * (HeadDim + 2) + 1) : 0.0F;
    float values[kWarp];  // All on the way at once.
#pragma unroll
    for (int i = 0; i < kWarp; ++i)
      values[i] = i < count ? __ldcg(places + i * (HeadDim + 2) + 2 + feature) : 0.0F;
    const float highest = fmaxf(peak, warp_max(own_peak));
    const float less = exp2f(peak - highest);
    const float weight = exp2f(own_peak - highest);
    peak = highest;
    sum = fmaf(sum, less, warp_sum(weight * own_sum));
    value *= less;
#pragma unroll
    for (int i = 0; i < kWarp; ++i) value = fmaf(__shfl_sync(~0U, weight, i), values[i], value);
  }
  return value / sum;
}

/// A warp's way through the stages of its block's splits.
struct Cursor {
  int split;   ///< Its first position.
  int within;  ///< The stage's, from there.
  __device__ int first() const { return split + within; }
  __device__ void advance(int stride) {
    within += stride;
    if (within < kSplitPositions) return;
    within -= kSplitPositions;
    split += gridDim.z * kSplitPositions;
  }
};

/// Grid: heads, columns, blocks that share the splits. Warp w of a split attends to its stages w, w + 4, ...
template <Stored S, int HeadDim>
__global__ void __launch_bounds__(kThreads, resident(S)) attention_kernel(Call call) {
  using Items = Stage<S, HeadDim>;
  __shared__ Shared<S, HeadDim> shared;
  constexpr int kStride = kWarps * Items::kEntries;
  static_assert(HeadDim <= kThreads && kPagePositions % Items::kEntries == 0 &&
                kSplitPositions % kStride == 0);
  const int head = blockIdx.x;
  const int column = blockIdx.y;
  const int heads = call.attention.heads;
  const int feature = threadIdx.x;
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int out_index = activation_index(head * HeadDim + feature, column, call.out.columns);
  let_next_start();
  const int slot = __ldcg(call.slots + column);
  const int position = __ldcg(call.positions + column);
  if (slot < 0) {
    if (blockIdx.z > 0) return;
    wait_for_previous();
    if (feature < HeadDim) call.write(0, out_index);
    return;
  }
  const int context = call.attention.context;
  const int visible = context > 0 ? min(position + 1, context) : position + 1;
  const int newest = context > 0 ? position % context : position;
  const int splits = (visible + kSplitPositions - 1) / kSplitPositions;
  if (static_cast<int>(blockIdx.z) >= splits) return;

  const int group = heads / call.pages.heads;
  const int kv_head = head / group;
  const Past<S, HeadDim> past(call.pages, call.layer, kv_head, slot);
  const Cursor begin{static_cast<int>(blockIdx.z) * kSplitPositions, warp * Items::kEntries};
  Cursor started = begin;
  int copies = 0;  // Keys and values in turn.
  const auto copy_next = [&] {
    const int part = copies % 2;
    if (started.first() < visible) {
      shared.stages[warp][part].copy(past.at(started.first(), part), started.first(), visible, newest, lane);
    }
    __pipeline_commit();
    if (part == 1) started.advance(kStride);
    ++copies;
  };
  const auto copy_first = [&] {
    while (copies < 2) copy_next();
  };
  if (call.pages.settled) copy_first();

  // Warp 0 turns the query, warp 1 the newest key, warp 2 has its value.
  constexpr int kOfLane = HeadDim / kWarp;
  const bool has_newest = newest / kSplitPositions % gridDim.z == blockIdx.z;
  const bool has_vector = warp == 0 || (warp < 3 && has_newest);
  Turn turns[kOfLane];
  Kept<S, HeadDim> kept{};
  if (has_vector) {
    if (warp > 0) kept = past.at(newest, warp - 1);
#pragma unroll
    for (int i = 0; i < kOfLane; ++i) {
      turns[i] =
          turn_of<HeadDim>(lane + i * kWarp, position, warp < 2 ? call.attention.rotation : Rotation::None,
                           call.attention.max_period);
    }
  }
  wait_for_previous();
  if (has_vector) {
    const int vector = warp == 0 ? head : heads + (warp - 1) * call.pages.heads + kv_head;
    const float* raw =
        call.qkv + (static_cast<size_t>(column) * (heads + 2 * call.pages.heads) + vector) * HeadDim;
    float turned[kOfLane];
    float largest = 0;
#pragma unroll
    for (int i = 0; i < kOfLane; ++i) {
      turned[i] =
          __ldcg(raw + lane + i * kWarp) * turns[i].cosine + __ldcg(raw + turns[i].other) * turns[i].sine;
      largest = fmaxf(largest, fabsf(turned[i]));
    }
    if (warp == 0) {
      // Scores in powers of two.
      const float scale = 1.4426950408889634F * rsqrtf(static_cast<float>(HeadDim));
#pragma unroll
      for (int i = 0; i < kOfLane; ++i) shared.query[lane + i * kWarp] = turned[i] * scale;
    } else {
      const int part = warp - 1;
      const bool writes = head % group == 0;
      float inverse = 1;
      if constexpr (Items::kScaled) {
        largest = warp_max(largest);
        inverse = largest > 0 ? 127.0F / largest : 0.0F;
        const float scale = largest / 127.0F;
        if (lane == 0) shared.scales[part] = scale;
        if (lane == 0 && writes) kept.put_scale(newest, scale, newest == visible - 1);
      }
#pragma unroll
      for (int i = 0; i < kOfLane; ++i) {
        auto& place = shared.newest[part][lane + i * kWarp];
        keep(place, turned[i], inverse);
        if (writes) kept.entry(newest)[lane + i * kWarp] = place;
      }
    }
  }
  copy_first();
  __syncthreads();

  float query[Items::kValues];
#pragma unroll
  for (int k = 0; k < Items::kValues; ++k) query[k] = shared.query[lane % Items::kLanes * Items::kValues + k];
  const size_t row = static_cast<size_t>(column) * heads + head;
  // [splits][peak, sum, values]
  float* partials = call.scratch.partial + row * call.most_splits * (HeadDim + 2);
  Chain<S, HeadDim> chain;
  Cursor here = begin;
  int read = 0;
  // The next copy, once it is there; `use`: of its stage, where that has entries.
  const auto next_stage = [&](const auto& use) {
    __pipeline_wait_prior(1);
    if (here.first() < visible) {
      const int part = read % 2;
      Items& stage = shared.stages[warp][part];
      const int fresh = newest - here.first();
      if (fresh >= 0 && fresh < Items::kEntries)
        stage.put(fresh, shared.newest[part], shared.scales[part], lane);
      __syncwarp();
      use(stage);
      __syncwarp();
    }
    copy_next();
    ++read;
  };
  int done = 0;
  for (int split = blockIdx.z; split < splits; split += gridDim.z, ++done) {
    for (int i = 0; i < kSplitPositions; i += kStride) {
      float weight = 0;
      next_stage([&](const Items& keys) { weight = chain.weigh(keys, query, visible - here.first(), lane); });
      next_stage([&](const Items& values) { chain.add(values, weight, lane); });
      here.advance(kStride);
    }
    chain.finish(shared.values[warp], shared.peaks[warp], shared.sums[warp], lane);
    __syncthreads();
    if (feature < HeadDim) {
      float peak = shared.peaks[0];
#pragma unroll
      for (int w = 1; w < kWarps; ++w) peak = fmaxf(peak, shared.peaks[w]);
      float sum = 0;
      float value = 0;
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        const float weight = exp2f(shared.peaks[w] - peak);
        sum = fmaf(weight, shared.sums[w], sum);
        value = fmaf(weight, shared.values[w][feature], value);
      }
      if (splits == 1) {
        call.write(value / sum, out_index);
      } else {
        float* place = partials + split * (HeadDim + 2);
        __stcg(place + 2 + feature, value);
        if (feature == 0) {
          __stcg(place, peak);
          __stcg(place + 1, sum);
        }
      }
    }
    __syncthreads();
  }
  if (splits == 1) return;

  // Who comes last adds the splits up.
  if (threadIdx.x == 0) shared.last = all_there(call.scratch.arrivals + row, done, splits);
  __syncthreads();
  if (shared.last && feature < HeadDim) call.write(add_splits<HeadDim>(partials, splits, feature), out_index);
}

template <Stored S>
int launch(const Call& call, dim3 grid, bool overlap, void* stream) {
  const Launch start(grid, kThreads, 0, overlap, stream);
  switch (call.pages.head_dim) {
    case 32:
      return start(attention_kernel<S, 32>, call);
    case 64:
      return start(attention_kernel<S, 64>, call);
    case 128:
      return start(attention_kernel<S, 128>, call);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace

int attend(const float* qkv, const Attention& attention, const Pages& pages, int layer, const int* slots,
           const int* positions, int longest, const Scratch& scratch, const Activations& out, Element element,
           int* overflows, bool overlap, void* stream) {
  const int splits = (longest + kSplitPositions - 1) / kSplitPositions;
  const Call call{qkv, attention, pages, layer, slots, positions, splits, scratch, out, element, overflows};
  // No more blocks than can run at a time: those that find nothing to do cost a launch each.
  const int blocks = resident(pages.stored) * limits().multiprocessors;
  const int rows = attention.heads * out.columns;
  const int turns = min(splits, (splits * rows + blocks - 1) / blocks);
  const int shares = (splits + turns - 1) / turns;
  const dim3 grid(attention.heads, out.columns, shares);
  switch (pages.stored) {
    case Stored::F32:
      return launch<Stored::F32>(call, grid, overlap, stream);
    case Stored::BF16:
      return launch<Stored::BF16>(call, grid, overlap, stream);
    case Stored::Int8:
      break;
  }
  return launch<Stored::Int8>(call, grid, overlap, stream);
}

}  // namespace moshi::cuda
