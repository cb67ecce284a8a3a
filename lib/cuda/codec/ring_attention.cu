// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/codec/ring_attention.h"
#include "cuda/device.cuh"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 256;

/// Feature i of a head's vector turned by its position (reference: moshi/modules/rope.py).
__device__ inline float rotated(const float* raw, int i, int head_dim, int position, Rotation rotation,
                                float max_period) {
  if (rotation == Rotation::None) return __ldcg(raw + i);
  const int half = head_dim / 2;
  const bool interleaved = rotation == Rotation::Interleaved;
  const int pair = interleaved ? i / 2 : i % half;
  const bool imaginary = interleaved ? i % 2 == 1 : i >= half;
  const float real = __ldcg(raw + (interleaved ? 2 * pair : pair));
  const float imag = __ldcg(raw + (interleaved ? 2 * pair + 1 : pair + half));
  const float frequency =
      expf(static_cast<float>(pair) * (-logf(max_period) * 2 / static_cast<float>(head_dim)));
  const float angle = frequency * static_cast<float>(position);
  return imaginary ? real * sinf(angle) + imag * cosf(angle) : real * cosf(angle) - imag * sinf(angle);
}

__device__ inline float4 load_past(const float* place) {
  return __ldcg(reinterpret_cast<const float4*>(place));
}

/// What a thread reads of the past at a time: pieces of 16 bytes.
constexpr int kBatch = 16;

/// The entries of a ring, counted by age from the newest.
struct Entries {
  int newest;  // Position.
  int context;
  int fresh;  // The newest ones, which are not in memory yet.
  __device__ int filled() const { return min(newest + 1, context); }
  __device__ int age(int entry) const {
    const int age = newest % context - entry;
    return age < 0 ? age + context : age;
  }
  __device__ bool in_memory(int entry) const { return entry < filled() && age(entry) >= fresh; }
};

/// Keys: a thread an entry. Those of the past are on their way before the kernel before has ended.
struct Keys {
  float4 pieces[kBatch];
  __device__ void load(const float* keys, const Entries& entries, int entry, int first, int pieces_a_head) {
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      if (entries.in_memory(entry) && first + i < pieces_a_head) {
        pieces[i] = load_past(keys + ((first + i) * entries.context + entry) * 4);
      }
    }
  }
  template <int Steps>
  __device__ void add(const float (&queries)[Steps][kWidestHead], int first, int pieces_a_head,
                      float (&sums)[Steps]) const {
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      if (first + i >= pieces_a_head) break;
#pragma unroll
      for (int s = 0; s < Steps; ++s) {
        const float4 query = *reinterpret_cast<const float4*>(&queries[s][(first + i) * 4]);
        sums[s] = fmaf(pieces[i].x, query.x, sums[s]);
        sums[s] = fmaf(pieces[i].y, query.y, sums[s]);
        sums[s] = fmaf(pieces[i].z, query.z, sums[s]);
        sums[s] = fmaf(pieces[i].w, query.w, sums[s]);
      }
    }
  }
};

/// Values: threads of a group share an entry, a piece each; groups take turns. Likewise.
struct Values {
  float4 pieces[kBatch];
  __device__ void load(const float* values, const Entries& entries, int first, int groups, int head_dim,
                       int d) {
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int entry = first + i * groups;
      if (entries.in_memory(entry)) pieces[i] = load_past(values + entry * head_dim + d);
    }
  }
};

/// One head of one stream a block. `Many`: more blocks than multiprocessors, which then hold two at a time;
/// else values, too, are on their way from the start.
template <int Steps, bool Many>
__global__ void __launch_bounds__(kThreads, Many ? 2 : 1)
    ring_kernel(const float* qkv, Ring ring, Rotation rotation, float max_period, Streams streams,
                float* out) {
  extern __shared__ float scores[];  // [Steps][context]
  __shared__ float queries[Steps][kWidestHead];
  __shared__ float fresh_keys[Steps][kWidestHead];
  __shared__ float fresh_values[Steps][kWidestHead];
  __shared__ float4 sums_of_groups[Steps][kThreads];
  __shared__ float weight_sums[Steps];
  const int head = blockIdx.x;
  const int stream = blockIdx.y;
  const int head_dim = ring.head_dim;
  const int pieces_a_head = head_dim / 4;
  const int context = ring.context;
  float* memory = streams.memories[stream];
  let_next_start();
  if (memory == nullptr) {
    wait_for_previous();
    return;
  }
  const int before = streams.frames[stream] * Steps;  // Positions before these.
  float* keys = memory + ring.keys + head * context * head_dim;
  float* values = memory + ring.values + head * context * head_dim;
  const Entries entries{before + Steps - 1, context, Steps};
  const int groups = kThreads / pieces_a_head;
  const int group = threadIdx.x / pieces_a_head;
  const int d = threadIdx.x % pieces_a_head * 4;
  Keys old_keys;
  Values old_values;
  old_keys.load(keys, entries, threadIdx.x, 0, pieces_a_head);
  if constexpr (!Many) old_values.load(values, entries, group, groups, head_dim, d);
  wait_for_previous();

  for (int i = threadIdx.x; i < 3 * Steps * head_dim; i += kThreads) {
    const int feature = i % head_dim;
    const int step = i / head_dim % Steps;
    const int part = i / head_dim / Steps;
    const float* raw = qkv +
                       ((static_cast<size_t>(stream) * Steps + step) * 3 + part) * ring.heads * head_dim +
                       head * head_dim;
    const int position = before + step;
    const int entry = position % context;
    if (part == 2) {
      fresh_values[step][feature] = values[entry * head_dim + feature] = __ldcg(raw + feature);
      continue;
    }
    const float value = rotated(raw, feature, head_dim, position, rotation, max_period);
    if (part == 1) {
      fresh_keys[step][feature] = keys[(feature / 4 * context + entry) * 4 + feature % 4] = value;
    } else {
      queries[step][feature] = value;
    }
  }
  __syncthreads();

  const float scale = rsqrtf(static_cast<float>(head_dim));
  for (int entry = threadIdx.x; entry < entries.filled(); entry += kThreads) {
    const int age = entries.age(entry);
    float sums[Steps] = {};
    for (int first = 0; first < pieces_a_head; first += kBatch) {
      if (age < Steps) {
#pragma unroll
        for (int i = 0; i < kBatch; ++i) {
          if (first + i < pieces_a_head)
            old_keys.pieces[i] =
                *reinterpret_cast<const float4*>(&fresh_keys[Steps - 1 - age][(first + i) * 4]);
        }
      } else if (entry >= kThreads || first > 0) {
        old_keys.load(keys, entries, entry, first, pieces_a_head);
      }
      old_keys.add<Steps>(queries, first, pieces_a_head, sums);
    }
#pragma unroll
    for (int s = 0; s < Steps; ++s) {
      // A step does not see those after it.
      scores[s * context + entry] = age >= Steps - 1 - s ? sums[s] * scale : -INFINITY;
    }
  }
  if constexpr (Many) old_values.load(values, entries, group, groups, head_dim, d);
  __syncthreads();

  const int lane = threadIdx.x % kWarp;
  if (threadIdx.x / kWarp < Steps) {
    const int step = threadIdx.x / kWarp;
    float* mine = scores + step * context;
    float peak = -INFINITY;
    for (int i = lane; i < entries.filled(); i += kWarp) peak = fmaxf(peak, mine[i]);
    peak = warp_max(peak);
    float sum = 0;
    for (int i = lane; i < entries.filled(); i += kWarp) {
      const float weight = expf(mine[i] - peak);
      mine[i] = weight;
      sum += weight;
    }
    sum = warp_sum(sum);
    if (lane == 0) weight_sums[step] = sum;
  }
  __syncthreads();

  float4 sums[Steps] = {};
  if (group < groups) {
    for (int first = group; first < entries.filled(); first += kBatch * groups) {
      if (first > group) old_values.load(values, entries, first, groups, head_dim, d);
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        const int entry = first + i * groups;
        if (entry >= entries.filled()) break;
        const int age = entries.age(entry);
        float4 value = old_values.pieces[i];
        if (age < Steps) value = *reinterpret_cast<const float4*>(&fresh_values[Steps - 1 - age][d]);
#pragma unroll
        for (int s = 0; s < Steps; ++s) {
          const float weight = scores[s * context + entry];
          sums[s].x = fmaf(weight, value.x, sums[s].x);
          sums[s].y = fmaf(weight, value.y, sums[s].y);
          sums[s].z = fmaf(weight, value.z, sums[s].z);
          sums[s].w = fmaf(weight, value.w, sums[s].w);
        }
      }
    }
  }
#pragma unroll
  for (int s = 0; s < Steps; ++s) sums_of_groups[s][threadIdx.x] = sums[s];
  __syncthreads();
  for (int i = threadIdx.x; i < Steps * head_dim; i += kThreads) {
    const int step = i / head_dim;
    const int feature = i % head_dim;
    float sum = 0;
#pragma unroll 4
    for (int g = 0; g < groups; ++g) sum += (&sums_of_groups[step][g * pieces_a_head].x)[feature];
    out[((static_cast<size_t>(stream) * Steps + step) * ring.heads + head) * head_dim + feature] =
        sum / weight_sums[step];
  }
}

}  // namespace

int attend_ring(const float* qkv, int steps, const Ring& ring, Rotation rotation, float max_period,
                const Streams& streams, float* out, bool overlap, void* stream) {
  const size_t shared = sizeof(float) * steps * ring.context;
  const Launch launch(dim3(ring.heads, streams.count), kThreads, shared, overlap, stream);
  const bool many = ring.heads * streams.count > limits().multiprocessors;
  const auto run = [&](auto few_kernel, auto many_kernel) {
    return launch(many ? many_kernel : few_kernel, qkv, ring, rotation, max_period, streams, out);
  };
  switch (steps) {
    case 1:
      return run(ring_kernel<1, false>, ring_kernel<1, true>);
    case 2:
      return run(ring_kernel<2, false>, ring_kernel<2, true>);
    case 3:
      return run(ring_kernel<3, false>, ring_kernel<3, true>);
    case 4:
      return run(ring_kernel<4, false>, ring_kernel<4, true>);
  }
  return cudaErrorInvalidValue;
}

}  // namespace moshi::cuda
