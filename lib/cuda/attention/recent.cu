// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/attention/recent.h"

#include "cuda/products/staged.cuh"
#include "cuda/products/staged.h"

namespace moshi::cuda {
namespace {

/// 8 bf16, read at once.
struct Eight {
  uint4 raw;
  __device__ float operator[](int i) const {
    return __bfloat162float(reinterpret_cast<const __nv_bfloat16*>(&raw)[i]);
  }
};

/// 8 floats past the first cache, which other kernels wrote.
__device__ inline void load_eight(const float* place, float (&v)[8]) {
  const float4 first = __ldcg(reinterpret_cast<const float4*>(place));
  const float4 second = __ldcg(reinterpret_cast<const float4*>(place) + 1);
  v[0] = first.x, v[1] = first.y, v[2] = first.z, v[3] = first.w;
  v[4] = second.x, v[5] = second.y, v[6] = second.z, v[7] = second.w;
}

__device__ inline Eight as_bf16(const float (&v)[8]) {
  Eight eight;
  auto* place = reinterpret_cast<__nv_bfloat16*>(&eight.raw);
#pragma unroll
  for (int i = 0; i < 8; ++i) place[i] = __float2bfloat16(v[i]);
  return eight;
}

/// Where a column's past lies: found before the kernels before have ended.
struct Place {
  __nv_bfloat16* page;  ///< Null: nobody's column.
  int newest;
};

__device__ inline Place place_of(const Recent& recent, int column) {
  const int slot = __ldcg(recent.slots + column);
  if (slot < 0) return {nullptr, 0};
  const int64_t page = __ldcg(recent.pages.table + static_cast<int64_t>(slot) * recent.pages.pages_a_slot);
  return {reinterpret_cast<__nv_bfloat16*>(page), __ldcg(recent.positions + column)};
}

/// One head of one column by one warp: calls `use(feature, values)` for 8 features from `feature` on in some
/// lanes. `keeps`: writes the newest key and value to their page.
template <int HeadDim, typename Use>
__device__ inline void attend_head(const Recent& recent, const Place& place, int head, int column, bool keeps,
                                   const Use& use) {
  constexpr int kLanes = HeadDim / 8;  // Share an entry.
  constexpr int kAtOnce = kWarp / kLanes;
  constexpr int kLoads = kRecentPositions / kAtOnce;
  const int lane = threadIdx.x % kWarp;
  const int part = lane % kLanes * 8;
  const int heads = recent.attention.heads;
  float attended[8] = {};
  if (place.page == nullptr) {
    if (lane < kLanes) use(head * HeadDim + part, attended);
    return;
  }
  const int newest = place.newest;
  const int group = heads / recent.pages.heads;
  const int kv_head = head / group;
  constexpr int64_t of_head = static_cast<int64_t>(kPagePositions) * HeadDim;
  auto* keys =
      place.page + (static_cast<int64_t>(recent.layer) * 2 * recent.pages.heads + kv_head) * of_head + part;
  auto* values = keys + recent.pages.heads * of_head;
  const float* q = recent.qkv + static_cast<size_t>(column) * (heads + 2 * recent.pages.heads) * HeadDim +
                   head * HeadDim + part;
  const float* k = q + (heads - head + kv_head) * HeadDim;

  Eight key[kLoads];
  Eight value[kLoads];
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    const int entry = i * kAtOnce + lane / kLanes;
    key[i].raw = value[i].raw = make_uint4(0, 0, 0, 0);
    if (entry < newest) {
      key[i].raw = __ldcg(reinterpret_cast<const uint4*>(keys + entry * HeadDim));
      value[i].raw = __ldcg(reinterpret_cast<const uint4*>(values + entry * HeadDim));
    }
  }
  float query[8];
  float fresh[8];
  load_eight(q, query);
  load_eight(k, fresh);
  const Eight new_key = as_bf16(fresh);
  load_eight(k + recent.pages.heads * HeadDim, fresh);
  const Eight new_value = as_bf16(fresh);
  if (keeps && head % group == 0 && lane < kLanes) {
    *reinterpret_cast<uint4*>(keys + newest * HeadDim) = new_key.raw;
    *reinterpret_cast<uint4*>(values + newest * HeadDim) = new_value.raw;
  }
  // Lane (s, l) of kAtOnce x kLanes gets the score of entry l kAtOnce + s.
  float score = -INFINITY;
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    const int entry = i * kAtOnce + lane / kLanes;
    if (entry == newest) {
      key[i] = new_key;
      value[i] = new_value;
    }
    float dot = 0;
#pragma unroll
    for (int n = 0; n < 8; ++n) dot = fmaf(key[i][n], query[n], dot);
#pragma unroll
    for (int distance = kLanes / 2; distance > 0; distance /= 2) {
      dot += __shfl_xor_sync(~0U, dot, distance);
    }
    if (lane % kLanes == i && entry <= newest) {
      score = __fmul_rn(dot, rsqrtf(static_cast<float>(HeadDim)));
    }
  }
  const float peak = warp_max(score);
  const float weight = score > -INFINITY ? expf(score - peak) : 0.0F;
  const float sum = warp_sum(weight);
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    const float of_entry = __shfl_sync(~0U, weight, i, kLanes);
#pragma unroll
    for (int n = 0; n < 8; ++n) attended[n] = fmaf(of_entry, value[i][n], attended[n]);
  }
#pragma unroll
  for (int n = 0; n < 8; ++n) {
#pragma unroll
    for (int distance = kLanes; distance < kWarp; distance *= 2) {
      attended[n] += __shfl_xor_sync(~0U, attended[n], distance);
    }
  }
  if (lane < kLanes) {
#pragma unroll
    for (int n = 0; n < 8; ++n) attended[n] /= sum;
    use(head * HeadDim + part, attended);
  }
}

/// The bits of 8 features as operands.
template <Element E>
__device__ inline float4 as_operands(const float (&v)[8], int* overflows) {
  alignas(16) typename Operand<E>::Type values[8];
#pragma unroll
  for (int n = 0; n < 8; ++n) store(values[n], v[n], overflows);
  return *reinterpret_cast<const float4*>(values);
}

constexpr int kThreads = 4 * kWarp;

/// A warp for each head of each column.
template <Element E, int HeadDim>
__global__ void __launch_bounds__(kThreads) recent_kernel(Recent recent, Activations out, int* overflows) {
  const int i = static_cast<int>(blockIdx.x * (kThreads / kWarp) + threadIdx.x / kWarp);
  const int heads = recent.attention.heads;
  const int column = i / heads;
  let_next_start();
  Place place{};
  if (column < out.columns) place = place_of(recent, column);
  wait_for_previous();
  if (column >= out.columns) return;
  attend_head<HeadDim>(recent, place, i % heads, column, true, [&](int feature, const float(&v)[8]) {
    auto* to =
        static_cast<typename Operand<E>::Type*>(out.values) + activation_index(feature, column, out.columns);
    if constexpr (E == Element::F32) {
#pragma unroll
      for (int n = 0; n < 8; ++n) to[n] = v[n];
    } else {
      *reinterpret_cast<float4*>(to) = as_operands<E>(v, overflows);
    }
  });
}

/// The input of a product whose blocks attend for each other in clusters.
template <Element E, int HeadDim>
struct Attended : Prepared {
  static constexpr int kThreads = kChains * kWarp;
  static constexpr unsigned kCluster = 8;
  Recent recent;
  int* overflows;
  Attended(const Recent& past, int count, int* counter) : Prepared{count}, recent(past), overflows(counter) {}
  __host__ __device__ size_t scratch_bytes(int) const { return 0; }
  __host__ __device__ size_t kept_bytes() const { return sizeof(Place) * columns; }
  __device__ void begin(char* kept, int) const {
    const int column = threadIdx.x;
    if (column < columns) reinterpret_cast<Place*>(kept)[column] = place_of(recent, column);
    arrive_at_cluster();
  }
  __device__ void prepare(char* operands, char*, char* kept, int) const {
    constexpr int kWarps = static_cast<int>(kCluster) * kThreads / kWarp;
    const int heads = recent.attention.heads;
    const bool first = blockIdx.x < kCluster;  // Every cluster finds the same.
    wait_for_cluster();                        // All have memory to store to.
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x / kWarp * kCluster + cluster_rank()); i < heads * columns;
         i += kWarps) {
      const int column = i / heads;
      const Place place = reinterpret_cast<const Place*>(kept)[column];
      attend_head<HeadDim>(recent, place, i % heads, column, first, [&](int feature, const float(&v)[8]) {
        const float4 eight = as_operands<E>(v, first ? overflows : nullptr);
        auto* to = reinterpret_cast<typename Operand<E>::Type*>(operands) +
                   activation_index(feature, column, columns);
#pragma unroll
        for (unsigned block = 0; block < kCluster; ++block) store_remote(address_in(block, to), eight);
      });
    }
    arrive_at_cluster();
    wait_for_cluster();
  }
};

/// Calls `use` with the head dimension as a constant.
template <typename Use>
int with_head_dim(int head_dim, const Use& use) {
  switch (head_dim) {
    case 32:
      return use.template operator()<32>();
    case 64:
      return use.template operator()<64>();
    case 128:
      return use.template operator()<128>();
    default:
      return cudaErrorInvalidValue;
  }
}

template <Element E>
int launch(const Recent& recent, const Activations& out, int* overflows, bool overlap, void* stream) {
  constexpr int kWarps = kThreads / kWarp;
  const dim3 grid((recent.attention.heads * out.columns + kWarps - 1) / kWarps);
  return with_head_dim(recent.pages.head_dim, [&]<int HeadDim>() {
    return Launch(grid, kThreads, 0, overlap, stream)(recent_kernel<E, HeadDim>, recent, out, overflows);
  });
}

template <Element E>
int launch_product(const Matrix& w, const Recent& recent, int columns, const Output& output, bool overlap,
                   void* stream) {
  return with_head_dim(recent.pages.head_dim, [&]<int HeadDim>() {
    const Attended<E, HeadDim> input(recent, columns, output.overflows);
    return launch_staged<E, 1, 1>(w, input, output, overlap, stream);
  });
}

}  // namespace

bool recent_takes(const Attention& attention, const Pages& pages, int longest) {
  // Without a ring, no position lies behind the longest.
  return limits().major >= 8 && attention.rotation == Rotation::None && attention.context == 0 &&
         pages.stored == Stored::BF16 && longest <= kRecentPositions;
}

int attend_recent(const Recent& recent, const Activations& out, Element element, int* overflows, bool overlap,
                  void* stream) {
  switch (element) {
    case Element::BF16:
      return launch<Element::BF16>(recent, out, overflows, overlap, stream);
    case Element::Int8:
      return launch<Element::Int8>(recent, out, overflows, overlap, stream);
    case Element::F32:
      break;
  }
  return launch<Element::F32>(recent, out, overflows, overlap, stream);
}

int multiply_attended(const Matrix& w, const Recent& recent, const Activations& attended,
                      const Output& output, bool overlap, void* stream) {
  if (attended.columns <= kMostPrepared && staged_takes(w, attended.columns)) {
    return w.element == Element::BF16
               ? launch_product<Element::BF16>(w, recent, attended.columns, output, overlap, stream)
               : launch_product<Element::Int8>(w, recent, attended.columns, output, overlap, stream);
  }
  const int status = attend_recent(recent, attended, w.element, output.overflows, overlap, stream);
  return status != 0 ? status : multiply(w, attended, output, overlap, stream);
}

}  // namespace moshi::cuda
