// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/attention.h"
#include "cuda/device.cuh"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;

/// 16 bytes of keys or values.
template <typename T>
struct Piece {
  static constexpr int kValues = 16 / sizeof(T);
  float values[kValues];
  __device__ explicit Piece(const T* place) {
    // The newest position may come from this kernel's other blocks: never from the first cache.
    const uint4 raw = __ldcg(reinterpret_cast<const uint4*>(place));
    const auto* typed = reinterpret_cast<const T*>(&raw);
#pragma unroll
    for (int i = 0; i < kValues; ++i) values[i] = static_cast<float>(typed[i]);
  }
};

template <typename T>
__device__ inline float rounded(float value) {
  return static_cast<float>(static_cast<T>(value));
}

/// One head's vector turned by its position: feature i of `raw` (reference: moshi/modules/rope.py).
template <int HeadDim>
__device__ inline float rotated(const float* raw, int i, int position, Rotation rotation, float max_period) {
  if (rotation == Rotation::None) return __ldcg(raw + i);
  constexpr int kHalf = HeadDim / 2;
  const bool interleaved = rotation == Rotation::Interleaved;
  const int pair = interleaved ? i / 2 : i % kHalf;
  const bool imaginary = interleaved ? i % 2 == 1 : i >= kHalf;
  const float real = __ldcg(raw + (interleaved ? 2 * pair : pair));
  const float imag = __ldcg(raw + (interleaved ? 2 * pair + 1 : pair + kHalf));
  const float frequency = expf(static_cast<float>(pair) * (-logf(max_period) * 2 / HeadDim));
  const float angle = frequency * static_cast<float>(position);
  return imaginary ? real * sinf(angle) + imag * cosf(angle) : real * cosf(angle) - imag * sinf(angle);
}

/// The pages of a column's conversation, as one head of one layer sees them.
template <typename T, int HeadDim>
struct Past {
  const int64_t* pages;
  int64_t keys;    ///< Where the head's keys lie in a page.
  int64_t values;  ///< Likewise.
  __device__ T* at(int64_t part, int entry) const {
    return reinterpret_cast<T*>(__ldcg(pages + entry / kPagePositions)) + part +
           entry % kPagePositions * HeadDim;
  }
};

template <typename T, int HeadDim>
__device__ inline Past<T, HeadDim> past_of(const Pages& pages, int layer, int head, int slot) {
  constexpr int64_t of_head = static_cast<int64_t>(kPagePositions) * HeadDim;
  const int64_t keys = (static_cast<int64_t>(layer) * 2 * pages.heads + head) * of_head;
  return {pages.table + static_cast<int64_t>(slot) * pages.pages_a_slot, keys, keys + pages.heads * of_head};
}

/// Unnormalised attention over some positions: exp(score - peak) summed, alone and with the values.
template <int HeadDim>
struct Partial {
  float peak;
  float sum;
  float values[HeadDim];
};

template <int HeadDim>
struct Shared {
  float query[HeadDim];
  float key[HeadDim];
  float value[HeadDim];
  float scores[kSplitPositions];
  float groups[kThreads / (HeadDim * 4 / 16) * 2][HeadDim];  // Enough for 2- and 4-byte values.
  float reduced[kWarps];
  bool last;
};

__device__ inline float block_reduce(float value, bool maximum, float* reduced) {
  value = maximum ? warp_max(value) : warp_sum(value);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) reduced[threadIdx.x / kWarp] = value;
  __syncthreads();
  float all = reduced[0];
  for (int warp = 1; warp < kWarps; ++warp) all = maximum ? fmaxf(all, reduced[warp]) : all + reduced[warp];
  return all;
}

/// Ring entries [first, first + count) of the past; `newest` is the entry that lies in shared memory.
template <typename T, int HeadDim>
__device__ inline void attend_split(const Past<T, HeadDim>& past, int first, int count, int newest,
                                    Shared<HeadDim>& shared, float& peak, float& sum, float& out) {
  constexpr int kPieceValues = Piece<T>::kValues;
  constexpr int kLanes = HeadDim / kPieceValues;  // That read one entry.
  constexpr int kGroups = kThreads / kLanes;
  const int group = threadIdx.x / kLanes;
  const int offset = threadIdx.x % kLanes * kPieceValues;
  for (int base = 0; base < count; base += kGroups) {
    const int i = base + group;
    float score = 0;
    if (i < count && first + i != newest) {
      const Piece<T> key(past.at(past.keys, first + i) + offset);
#pragma unroll
      for (int k = 0; k < kPieceValues; ++k) score = fmaf(key.values[k], shared.query[offset + k], score);
    } else if (i < count) {
      for (int k = 0; k < kPieceValues; ++k)
        score = fmaf(shared.key[offset + k], shared.query[offset + k], score);
    }
    for (int distance = kLanes / 2; distance > 0; distance /= 2)
      score += __shfl_xor_sync(~0U, score, distance);
    if (i < count && offset == 0) shared.scores[i] = score * rsqrtf(static_cast<float>(HeadDim));
  }
  __syncthreads();
  const bool mine = static_cast<int>(threadIdx.x) < count;
  const float score = mine ? shared.scores[threadIdx.x] : -INFINITY;
  peak = block_reduce(score, true, shared.reduced);
  const float weight = mine ? expf(score - peak) : 0.0F;
  sum = block_reduce(weight, false, shared.reduced);
  if (mine) shared.scores[threadIdx.x] = weight;
  __syncthreads();

  float sums[kPieceValues] = {};
  for (int i = group; i < count; i += kGroups) {
    const float w = shared.scores[i];
    if (first + i != newest) {
      const Piece<T> value(past.at(past.values, first + i) + offset);
#pragma unroll
      for (int k = 0; k < kPieceValues; ++k) sums[k] = fmaf(w, value.values[k], sums[k]);
    } else {
      for (int k = 0; k < kPieceValues; ++k) sums[k] = fmaf(w, shared.value[offset + k], sums[k]);
    }
  }
#pragma unroll
  for (int k = 0; k < kPieceValues; ++k) shared.groups[group][offset + k] = sums[k];
  __syncthreads();
  out = 0;
  if (threadIdx.x < HeadDim) {
    for (int g = 0; g < kGroups; ++g) out += shared.groups[g][threadIdx.x];
  }
  __syncthreads();
}

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
  __shared__ Shared<HeadDim> shared;
  static_assert(HeadDim <= kThreads && kSplitPositions <= kThreads);
  const int head = blockIdx.x;
  const int column = blockIdx.y;
  const int heads = call.attention.heads;
  let_next_start();
  wait_for_previous();
  const auto write = [&](float value) {
    auto* out = static_cast<typename Operand<E>::Type*>(call.out.values);
    store(out[activation_index(head * HeadDim + threadIdx.x, column, call.out.columns)], value,
          call.overflows);
  };
  const int slot = __ldcg(call.slots + column);
  if (slot < 0) {
    if (blockIdx.z == 0 && threadIdx.x < HeadDim) write(0);
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
  const float* q =
      call.qkv + static_cast<size_t>(column) * (heads + 2 * call.pages.heads) * HeadDim + head * HeadDim;
  const float* k = q + (heads - head + kv_head) * HeadDim;
  const float* v = k + call.pages.heads * HeadDim;
  const Past<T, HeadDim> past = past_of<T, HeadDim>(call.pages, call.layer, kv_head, slot);
  if (threadIdx.x < HeadDim) {
    const int i = threadIdx.x;
    shared.query[i] = rotated<HeadDim>(q, i, position, call.attention.rotation, call.attention.max_period);
    // As it will be read later.
    shared.key[i] =
        rounded<T>(rotated<HeadDim>(k, i, position, call.attention.rotation, call.attention.max_period));
    shared.value[i] = rounded<T>(__ldcg(v + i));
    if (blockIdx.z == 0 && head % group == 0) {
      past.at(past.keys, newest)[i] = static_cast<T>(shared.key[i]);
      past.at(past.values, newest)[i] = static_cast<T>(shared.value[i]);
    }
  }
  __syncthreads();

  const size_t index = static_cast<size_t>(column) * heads + head;
  auto* partials = reinterpret_cast<Partial<HeadDim>*>(call.scratch.partial) + index * call.most_splits;
  int done = 0;
  for (int split = blockIdx.z; split < splits; split += gridDim.z, ++done) {
    const int first = split * kSplitPositions;
    float peak = 0;
    float sum = 0;
    float value = 0;
    attend_split<T, HeadDim>(past, first, min(kSplitPositions, visible - first), newest, shared, peak, sum,
                             value);
    if (splits == 1) {
      if (threadIdx.x < HeadDim) write(value / sum);
      return;
    }
    if (threadIdx.x < HeadDim) __stcg(&partials[split].values[threadIdx.x], value);
    if (threadIdx.x == 0) {
      __stcg(&partials[split].peak, peak);
      __stcg(&partials[split].sum, sum);
    }
  }

  // Who comes last adds the splits up, in their order.
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    shared.last = atomicAdd(call.scratch.arrivals + index, done) + done == splits;
    if (shared.last) call.scratch.arrivals[index] = 0;
  }
  __syncthreads();
  if (!shared.last || threadIdx.x >= HeadDim) return;
  __threadfence();
  float peak = -INFINITY;
  for (int split = 0; split < splits; ++split) peak = fmaxf(peak, __ldcg(&partials[split].peak));
  float sum = 0;
  float value = 0;
  for (int split = 0; split < splits; ++split) {
    const float weight = expf(__ldcg(&partials[split].peak) - peak);
    sum = fmaf(weight, __ldcg(&partials[split].sum), sum);
    value = fmaf(weight, __ldcg(&partials[split].values[threadIdx.x]), value);
  }
  write(value / sum);
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
  // Blocks enough to fill a device; those that find nothing to do cost a launch each.
  constexpr int kBlocks = 2048;
  const int rows = attention.heads * out.columns;
  const int shares = max(1, min(splits, kBlocks / rows));
  const dim3 grid(attention.heads, out.columns, shares);
  return pages.bf16 ? launch<__nv_bfloat16>(call, element, grid, overlap, stream)
                    : launch<float>(call, element, grid, overlap, stream);
}

}  // namespace moshi::cuda
