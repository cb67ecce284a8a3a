// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/codec/codebooks.h"
#include "cuda/codec/convolve.cuh"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kNearestWarps = 4;
constexpr int kLaneChunks = kWarp / kRowGroup;  // Chunks a warp sums at a time.
/// torch.cdist takes the matrix form where a side has more rows.
constexpr int kDirectFormRows = 25;

__device__ inline float vector_value(const Filter& vectors, int index, int k) {
  const size_t piece =
      (static_cast<size_t>(index / kRowGroup) * vectors.chunks() * kChunkPieces + k / 4) * kRowGroup +
      index % kRowGroup;
  return __ldg(vectors.values + piece * 4 + k % 4);
}

/// What the block's columns have left over, in shared memory [Columns][chunks][pitch], and its squared norms;
/// a warp has every kNearestWarps-th column, all at a time.
template <int Columns>
__device__ inline void subtract_found(const Remainder& x, int width, int pitch, int columns, float* left,
                                      float* squares) {
  constexpr int kOwn = (Columns + kNearestWarps - 1) / kNearestWarps;
  constexpr int kAtOnce = 8;
  const int lane = threadIdx.x % kWarp;
  const int warp = threadIdx.x / kWarp;
  const auto column_of = [&](int o) {  // Negative: there is none.
    const int c = warp + o * kNearestWarps;
    const int at = blockIdx.y * Columns + c;
    return c < Columns && at < columns ? at : -1;
  };
  int indices[kOwn] = {};
  float sums[kOwn] = {};
  if (x.found != nullptr) {
#pragma unroll
    for (int o = 0; o < kOwn; ++o) {
      if (column_of(o) >= 0)
        indices[o] = static_cast<int>(static_cast<unsigned>(__ldcg(x.found + column_of(o))));
    }
  }
  for (int base = lane; base < width; base += kAtOnce * kWarp) {
    float values[kOwn][kAtOnce];
    float vectors[kOwn][kAtOnce];
    const auto each = [&](const auto& use) {
#pragma unroll
      for (int o = 0; o < kOwn; ++o) {
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
          if (column_of(o) >= 0 && base + i * kWarp < width) use(o, i, base + i * kWarp);
        }
      }
    };
    each([&](int o, int i, int k) {
      values[o][i] = __ldcg(x.values + static_cast<size_t>(column_of(o)) * x.stride + k);
    });
    if (x.found != nullptr) {
      each([&](int o, int i, int k) { vectors[o][i] = vector_value(x.codebook.vectors, indices[o], k); });
    }
    each([&](int o, int i, int k) {
      const float value = x.found != nullptr ? values[o][i] - vectors[o][i] : values[o][i];
      ChunkedColumn{left + (warp + o * kNearestWarps) * pitch}[k] = value;
      if (blockIdx.x == 0) x.kept[static_cast<size_t>(column_of(o)) * width + k] = value;
      sums[o] = fmaf(value, value, sums[o]);
    });
  }
#pragma unroll
  for (int o = 0; o < kOwn; ++o) {
    const float sum = warp_sum(sums[o]);
    if (lane == 0 && warp + o * kNearestWarps < Columns) squares[warp + o * kNearestWarps] = sum;
  }
  __syncthreads();
}

/// A warp has 8 vectors, a lane every fourth chunk of one of them.
template <bool Direct, int Columns>
__global__ void __launch_bounds__(kNearestWarps* kWarp)
    nearest_kernel(Codebook codebook, Remainder x, int columns, Nearest* found) {
  extern __shared__ float4 left4[];
  __shared__ float squares[Columns];
  __shared__ Nearest bests[kNearestWarps][Columns];
  auto* left = reinterpret_cast<float*>(left4);
  const Filter& vectors = codebook.vectors;
  const int chunks = vectors.chunks();
  const int lane = threadIdx.x % kWarp;
  const int group = blockIdx.x * kNearestWarps + threadIdx.x / kWarp;
  const int row = lane % kRowGroup;
  const int index = group * kRowGroup + row;
  const int pitch = chunks * ChunkedColumn::kPitch;
  const float4* w = reinterpret_cast<const float4*>(vectors.values) +
                    static_cast<size_t>(group) * chunks * kChunkPieces * kRowGroup + row;
  const auto load = [&](float4(&pieces)[kChunkPieces], int chunk) {
#pragma unroll
    for (int i = 0; i < kChunkPieces; ++i) {
      const bool inside = group < vectors.row_groups() && chunk < chunks;
      pieces[i] = inside ? __ldg(w + (chunk * kChunkPieces + i) * kRowGroup) : make_float4(0, 0, 0, 0);
    }
  };
  let_next_start();
  float4 weights[kChunkPieces];
  load(weights, lane / kRowGroup);
  const float square = !Direct && index < vectors.rows ? __ldg(codebook.squares + index) : 0.0F;
  wait_for_previous();
  subtract_found<Columns>(x, vectors.depth, pitch, columns, left, squares);

  // Columns that are not there are summed, too: what comes of them is not used.
  float totals[Columns] = {};
  for (int base = 0; base < chunks; base += kLaneChunks) {
    const int chunk = base + lane / kRowGroup;
    float4 next[kChunkPieces];
    load(next, chunk + kLaneChunks);
    float sums[Columns] = {};
    if (chunk < chunks) {
#pragma unroll
      for (int i = 0; i < kChunkPieces; ++i) {
        if (chunk * kChunk + i * 4 >= vectors.depth) break;
#pragma unroll
        for (int c = 0; c < Columns; ++c) {
          float4 value =
              *reinterpret_cast<const float4*>(left + c * pitch + chunk * ChunkedColumn::kPitch + i * 4);
          if constexpr (Direct) {
            value.x -= weights[i].x, value.y -= weights[i].y, value.z -= weights[i].z,
                value.w -= weights[i].w;
            add_products(value, value, sums[c]);
          } else {
            add_products(weights[i], value, sums[c]);
          }
        }
      }
    }
#pragma unroll
    for (int part = 0; part < kLaneChunks; ++part) {
#pragma unroll
      for (int c = 0; c < Columns; ++c) totals[c] += __shfl_sync(~0U, sums[c], part * kRowGroup + row);
    }
#pragma unroll
    for (int i = 0; i < kChunkPieces; ++i) weights[i] = next[i];
  }
#pragma unroll
  for (int c = 0; c < Columns; ++c) {
    float squared = totals[c];
    if constexpr (!Direct) squared = fmaf(-2.0F, squared, squares[c]) + square;
    // The root is monotonic, but makes close distances equal, which decides between indices.
    const float distance = sqrtf(fmaxf(squared, 0.0F));
    Nearest best = static_cast<Nearest>(__float_as_uint(distance)) << 32 | static_cast<unsigned>(index);
    if (index >= vectors.rows) best = kNone;
    for (int apart = kRowGroup / 2; apart > 0; apart /= 2) {
      best = min(best, __shfl_xor_sync(~0U, best, apart));
    }
    if (lane == 0) bests[threadIdx.x / kWarp][c] = best;
  }
  __syncthreads();
  const int at = blockIdx.y * Columns + threadIdx.x;
  if (threadIdx.x < Columns && at < columns) {
    Nearest best = bests[0][threadIdx.x];
#pragma unroll
    for (int i = 1; i < kNearestWarps; ++i) best = min(best, bests[i][threadIdx.x]);
    atomicMin(found + at, best);
  }
}

template <int Columns>
int launch_nearest(const Codebook& codebook, const Remainder& x, int columns, Nearest* found, bool overlap,
                   void* stream) {
  const int blocks = (codebook.vectors.row_groups() + kNearestWarps - 1) / kNearestWarps;
  const dim3 grid(blocks, (columns + Columns - 1) / Columns);
  const size_t shared = sizeof(float) * Columns * codebook.vectors.chunks() * ChunkedColumn::kPitch;
  const Launch launch(grid, kNearestWarps * kWarp, shared, overlap, stream);
  const bool direct = codebook.vectors.rows <= kDirectFormRows;
  return launch(direct ? nearest_kernel<true, Columns> : nearest_kernel<false, Columns>, codebook, x, columns,
                found);
}

/// A block a column.
__global__ void __launch_bounds__(kThreads)
    sum_kernel(const Filter* codebooks, int levels, int semantic, int width, const int* codes, float* out) {
  const int* column = codes + static_cast<size_t>(blockIdx.x) * levels;
  let_next_start();
  wait_for_previous();
  for (int i = threadIdx.x; i < 2 * width; i += kThreads) {
    const int first = i < width ? 0 : semantic;
    const int end = i < width ? semantic : levels;
    float sum = 0;
    for (int level = first; level < end && column[level] >= 0; ++level) {
      sum += vector_value(codebooks[level], column[level], i % width);
    }
    out[static_cast<size_t>(blockIdx.x) * 2 * width + i] = sum;
  }
}

/// A block a stream.
__global__ void __launch_bounds__(kThreads)
    upsample_kernel(const float* x, const float* taps, int stride, int channels, int64_t past,
                    Streams streams, float* out) {
  const int stream = blockIdx.x;
  const float* last = remembered(streams, stream, past, channels);
  float* memory = to_remember(streams, stream, past, channels);
  let_next_start();
  wait_for_previous();
  for (int c = threadIdx.x; c < channels; c += kThreads) {
    const float now = __ldcg(x + static_cast<size_t>(stream) * channels + c);
    const float before = last != nullptr ? last[c] : 0.0F;
    if (memory != nullptr) memory[c] = now;
    for (int s = 0; s < stride; ++s) {
      out[(static_cast<size_t>(stream) * stride + s) * channels + c] =
          fmaf(now, taps[s * channels + c], before * taps[(stride + s) * channels + c]);
    }
  }
}

}  // namespace

int find_nearest(const Codebook& codebook, const Remainder& x, int columns, Nearest* found, bool overlap,
                 void* stream) {
  const auto launch = columns <= 1 ? launch_nearest<1> : columns <= 4 ? launch_nearest<4> : launch_nearest<8>;
  return launch(codebook, x, columns, found, overlap, stream);
}

int sum_vectors(const Filter* codebooks, int levels, int semantic, int width, const int* codes, int columns,
                float* out, bool overlap, void* stream) {
  return Launch(columns, kThreads, 0, overlap, stream)(sum_kernel, codebooks, levels, semantic, width, codes,
                                                       out);
}

int upsample(const float* x, const float* taps, int stride, int channels, int64_t past,
             const Streams& streams, float* out, bool overlap, void* stream) {
  return Launch(streams.count, kThreads, 0, overlap, stream)(upsample_kernel, x, taps, stride, channels, past,
                                                             streams, out);
}

}  // namespace moshi::cuda
