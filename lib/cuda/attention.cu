// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/attention.h"

#include "cuda/device.cuh"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;
/// Of a split, which lie in one page.
constexpr int kWarpPositions = kSplitPositions / kWarps;
/// Blocks enough to fill a device; those that find nothing to do cost a launch each.
constexpr int kBlocks = 768;
static_assert(kWarpPositions == kWarp && kPagePositions % kWarpPositions == 0);

/// 16 bytes of keys or values.
template <typename T>
struct Piece {
  static constexpr int kValues = 16 / sizeof(T);
  uint4 raw;
  // The newest position may come from this kernel's other blocks: never from the first cache.
  __device__ void load(const T* place) { raw = __ldcg(reinterpret_cast<const uint4*>(place)); }
  __device__ float operator[](int i) const { return static_cast<float>(reinterpret_cast<const T*>(&raw)[i]); }
};

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

/// Feature i of a vector, still to be turned.
struct Feature {
  float own;
  float other;
  __device__ Feature(const float* raw, int i, const Turn& turn)
      : own(__ldcg(raw + i)), other(__ldcg(raw + turn.other)) {}
  __device__ float turned(const Turn& turn) const { return own * turn.cosine + other * turn.sine; }
};

/// The pages of a column's conversation, as one head of one layer sees them.
template <typename T, int HeadDim>
struct Past {
  const int64_t* pages;
  int64_t keys;    ///< Where the head's keys lie in a page.
  int64_t values;  ///< Likewise.
  /// The page of a ring entry, from that entry on.
  __device__ T* at(int entry) const {
    return reinterpret_cast<T*>(__ldcg(pages + entry / kPagePositions)) + entry % kPagePositions * HeadDim;
  }
};

template <typename T, int HeadDim>
__device__ inline Past<T, HeadDim> past_of(const Pages& pages, int layer, int head, int slot) {
  constexpr int64_t of_head = static_cast<int64_t>(kPagePositions) * HeadDim;
  const int64_t keys = (static_cast<int64_t>(layer) * 2 * pages.heads + head) * of_head;
  return {pages.table + static_cast<int64_t>(slot) * pages.pages_a_slot, keys, keys + pages.heads * of_head};
}

/// Keys or values of a warp's positions in its registers: kLanes lanes share an entry.
template <typename T, int HeadDim>
struct Entries {
  static constexpr int kValues = Piece<T>::kValues;
  static constexpr int kLanes = HeadDim / kValues;
  static constexpr int kAtOnce = kWarp / kLanes;
  static constexpr int kLoads = kWarpPositions / kAtOnce;
  Piece<T> pieces[kLoads];

  /// Entries 0 to count - 1 but `newest`, which comes from `fresh`.
  __device__ void load(const T* first, int count, int newest, int lane) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int entry = i * kAtOnce + lane / kLanes;
      pieces[i].raw = make_uint4(0, 0, 0, 0);
      if (entry < count && entry != newest) pieces[i].load(first + entry * HeadDim + lane % kLanes * kValues);
    }
  }
  __device__ void put(int newest, const T* fresh, int lane) {
    const uint4 raw = *reinterpret_cast<const uint4*>(fresh + lane % kLanes * kValues);
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      if (i * kAtOnce + lane / kLanes == newest) pieces[i].raw = raw;
    }
  }
};

template <typename T, int HeadDim>
struct Shared {
  alignas(16) float query[HeadDim];
  alignas(16) T key[HeadDim];  ///< Of the newest position.
  alignas(16) T value[HeadDim];
  float values[kWarps][HeadDim];
  float peaks[kWarps];
  float sums[kWarps];
  bool last;
};

/// Unnormalised attention over some positions: exp(score - peak) summed, alone and with a feature's values.
struct Partial {
  float peak = -INFINITY;
  float sum = 0;
  float value = 0;
};

/// Adds what there is of one feature, in order: `get(i)` for i below `count`.
template <typename Get>
__device__ inline Partial merged(int count, const Get& get) {
  Partial all;
  for (int i = 0; i < count; ++i) all.peak = fmaxf(all.peak, get(i).peak);
  for (int i = 0; i < count; ++i) {
    const Partial one = get(i);
    const float weight = one.sum > 0 ? expf(one.peak - all.peak) : 0.0F;
    all.sum = fmaf(weight, one.sum, all.sum);
    all.value = fmaf(weight, one.value, all.value);
  }
  return all;
}

/// Adds up each of `dots` over the lanes that share its entry: each exchange halves the entries of a lane.
template <int Half, int Count>
__device__ inline void fold(float (&dots)[Count], int lane) {
  if constexpr (Half > 0) {
    const bool upper = (lane & Half) != 0;
#pragma unroll
    for (int i = 0; i < Half; ++i) {
      const float sent = upper ? dots[i] : dots[i + Half];
      const float kept = upper ? dots[i + Half] : dots[i];
      dots[i] = kept + __shfl_xor_sync(~0U, sent, Half);
    }
    fold<Half / 2>(dots, lane);
  }
}

/// The score of a lane's entry: lane (s, l) of kAtOnce x kLanes has entry l kAtOnce + s.
template <typename T, int HeadDim>
__device__ inline float score_of(const Entries<T, HeadDim>& keys, const float* query, int lane) {
  using Keys = Entries<T, HeadDim>;
  float dots[Keys::kLoads];
  float q[Keys::kValues];
#pragma unroll
  for (int k = 0; k < Keys::kValues; ++k) q[k] = query[lane % Keys::kLanes * Keys::kValues + k];
#pragma unroll
  for (int i = 0; i < Keys::kLoads; ++i) {
    dots[i] = 0;
#pragma unroll
    for (int k = 0; k < Keys::kValues; ++k) dots[i] = fmaf(keys.pieces[i][k], q[k], dots[i]);
  }
  fold<Keys::kLanes / 2>(dots, lane);
  return dots[0] * rsqrtf(static_cast<float>(HeadDim));
}

/// A warp's `count` entries, as partial sums in shared memory.
template <typename T, int HeadDim>
struct WarpShare {
  using Items = Entries<T, HeadDim>;
  static constexpr bool kBothAtOnce = Items::kLoads <= 16;  // Else registers do not suffice.
  Items keys;
  Items values;
  const T* first_value;
  int count;
  int newest;
  int lane;

  /// `page` begins with the warp's first entry.
  __device__ void load(const T* page, const Past<T, HeadDim>& past, int entries, int newest_entry) {
    lane = threadIdx.x % kWarp;
    count = entries;
    newest = newest_entry;
    first_value = page + past.values;
    keys.load(page + past.keys, count, newest, lane);
    if constexpr (kBothAtOnce) values.load(first_value, count, newest, lane);
  }

  __device__ void attend(Shared<T, HeadDim>& shared) {
    const bool has_newest = newest >= 0 && newest < count;
    if (has_newest) keys.put(newest, shared.key, lane);
    const bool mine = lane % Items::kLanes * Items::kAtOnce + lane / Items::kLanes < count;
    const float any_score = score_of(keys, shared.query, lane);
    const float score = mine ? any_score : -INFINITY;
    if constexpr (!kBothAtOnce) values.load(first_value, count, newest, lane);
    if (has_newest) values.put(newest, shared.value, lane);
    const float peak = warp_max(score);
    const float weight = mine ? expf(score - peak) : 0.0F;
    const float sum = warp_sum(weight);
    float out[Items::kValues] = {};
#pragma unroll
    for (int i = 0; i < Items::kLoads; ++i) {
      const float of_entry = __shfl_sync(~0U, weight, i, Items::kLanes);
#pragma unroll
      for (int k = 0; k < Items::kValues; ++k) out[k] = fmaf(of_entry, values.pieces[i][k], out[k]);
    }
#pragma unroll
    for (int k = 0; k < Items::kValues; ++k) {
#pragma unroll
      for (int distance = Items::kLanes; distance < kWarp; distance *= 2) {
        out[k] += __shfl_xor_sync(~0U, out[k], distance);
      }
    }
    const int warp = threadIdx.x / kWarp;
    if (lane < Items::kLanes) {
#pragma unroll
      for (int k = 0; k < Items::kValues; ++k) shared.values[warp][lane * Items::kValues + k] = out[k];
    }
    if (lane == 0) {
      shared.peaks[warp] = peak;
      shared.sums[warp] = sum;
    }
  }
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
  int* overflows;
};

/// Grid: heads, columns, blocks that share the splits.
template <typename T, int HeadDim, Element E>
__global__ void __launch_bounds__(kThreads) attention_kernel(Call call) {
  __shared__ Shared<T, HeadDim> shared;
  static_assert(HeadDim <= kThreads);
  const int head = blockIdx.x;
  const int column = blockIdx.y;
  const int heads = call.attention.heads;
  const int feature = threadIdx.x;
  let_next_start();
  const auto write = [&](float value) {
    auto* out = static_cast<typename Operand<E>::Type*>(call.out.values);
    store(out[activation_index(head * HeadDim + feature, column, call.out.columns)], value, call.overflows);
  };
  const int slot = __ldcg(call.slots + column);
  if (slot < 0) {
    if (blockIdx.z > 0) return;
    wait_for_previous();
    if (feature < HeadDim) write(0);
    return;
  }
  const int position = __ldcg(call.positions + column);
  const int context = call.attention.context;
  const int visible = context > 0 ? min(position + 1, context) : position + 1;
  const int newest = context > 0 ? position % context : position;
  const int splits = (visible + kSplitPositions - 1) / kSplitPositions;
  if (static_cast<int>(blockIdx.z) >= splits) return;

  const int group = heads / call.pages.heads;
  const int kv_head = head / group;
  const Past<T, HeadDim> past = past_of<T, HeadDim>(call.pages, call.layer, kv_head, slot);
  const auto warp_first = [&](int split) {
    return split * kSplitPositions + static_cast<int>(threadIdx.x) / kWarp * kWarpPositions;
  };
  WarpShare<T, HeadDim> share;
  const auto load = [&](int split) {
    const int first = warp_first(split);
    const int count = min(kWarpPositions, visible - first);
    if (count > 0)
      share.load(past.at(first), past, count, newest - first);
    else
      share.load(nullptr, past, 0, -1);
  };
  Turn turn{};
  if (feature < HeadDim) {
    turn = turn_of<HeadDim>(feature, position, call.attention.rotation, call.attention.max_period);
  }
  wait_for_previous();
  load(blockIdx.z);
  if (feature < HeadDim) {
    const float* q =
        call.qkv + static_cast<size_t>(column) * (heads + 2 * call.pages.heads) * HeadDim + head * HeadDim;
    const float* k = q + (heads - head + kv_head) * HeadDim;
    const float* v = k + call.pages.heads * HeadDim;
    const Feature query(q, feature, turn);
    const Feature key(k, feature, turn);
    const float value = __ldcg(v + feature);
    shared.query[feature] = query.turned(turn);
    // As they will be read later.
    shared.key[feature] = static_cast<T>(key.turned(turn));
    shared.value[feature] = static_cast<T>(value);
    if (blockIdx.z == 0 && head % group == 0) {
      T* page = past.at(newest) + feature;
      page[past.keys] = shared.key[feature];
      page[past.values] = shared.value[feature];
    }
  }
  __syncthreads();

  const size_t index = static_cast<size_t>(column) * heads + head;
  // [splits][peak, sum, values]
  float* partials = call.scratch.partial + index * call.most_splits * (HeadDim + 2);
  int done = 0;
  for (int split = blockIdx.z; split < splits; split += gridDim.z, ++done) {
    share.attend(shared);
    if (split + static_cast<int>(gridDim.z) < splits) load(split + gridDim.z);
    __syncthreads();
    Partial all;
    if (feature < HeadDim) {
      all = merged(kWarps, [&](int warp) {
        return Partial{shared.peaks[warp], shared.sums[warp], shared.values[warp][feature]};
      });
    }
    if (splits == 1) {
      if (feature < HeadDim) write(all.value / all.sum);
      return;
    }
    float* place = partials + split * (HeadDim + 2);
    if (feature < HeadDim) __stcg(place + 2 + feature, all.value);
    if (feature == 0) {
      __stcg(place, all.peak);
      __stcg(place + 1, all.sum);
    }
    __syncthreads();
  }

  // Who comes last adds the splits up, in their order.
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    shared.last = atomicAdd(call.scratch.arrivals + index, done) + done == splits;
    if (shared.last) call.scratch.arrivals[index] = 0;
  }
  __syncthreads();
  if (!shared.last || feature >= HeadDim) return;
  __threadfence();
  const Partial all = merged(splits, [&](int split) {
    const float* place = partials + split * (HeadDim + 2);
    return Partial{__ldcg(place), __ldcg(place + 1), __ldcg(place + 2 + feature)};
  });
  write(all.value / all.sum);
}

template <typename T, int HeadDim>
int launch(const Call& call, Element element, dim3 grid, bool overlap, void* stream) {
  const Launch start(grid, kThreads, 0, overlap, stream);
  switch (element) {
    case Element::BF16:
      return start(attention_kernel<T, HeadDim, Element::BF16>, call);
    case Element::Int8:
      return start(attention_kernel<T, HeadDim, Element::Int8>, call);
    case Element::F32:
      break;
  }
  return start(attention_kernel<T, HeadDim, Element::F32>, call);
}

template <typename T>
int launch(const Call& call, Element element, dim3 grid, bool overlap, void* stream) {
  switch (call.pages.head_dim) {
    case 32:
      return launch<T, 32>(call, element, grid, overlap, stream);
    case 64:
      return launch<T, 64>(call, element, grid, overlap, stream);
    case 128:
      return launch<T, 128>(call, element, grid, overlap, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace

int attend(const float* qkv, const Attention& attention, const Pages& pages, int layer, const int* slots,
           const int* positions, int longest, const Scratch& scratch, const Activations& out, Element element,
           int* overflows, bool overlap, void* stream) {
  const int splits = (longest + kSplitPositions - 1) / kSplitPositions;
  const Call call{qkv, attention, pages, layer, slots, positions, splits, scratch, out, overflows};
  const int rows = attention.heads * out.columns;
  const int turns = min(splits, (splits * rows + kBlocks - 1) / kBlocks);
  const int shares = (splits + turns - 1) / turns;
  const dim3 grid(attention.heads, out.columns, shares);
  return pages.bf16 ? launch<__nv_bfloat16>(call, element, grid, overlap, stream)
                    : launch<float>(call, element, grid, overlap, stream);
}

}  // namespace moshi::cuda
