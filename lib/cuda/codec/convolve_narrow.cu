// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products of few columns, which the reading of the filter bounds: a block has 8 rows, a warp 4 chunks of
// them at a time, a lane one chunk of one row, whose weights are on their way before the kernel before has
// ended.
#include "cuda/codec/convolve.cuh"

namespace moshi::cuda {
namespace {

constexpr int kWarpChunks = kWarp / kRowGroup;
constexpr int kMostWarps = 16;
constexpr int kRememberedByBlock = 2048;

/// A chunk of one row of the filter.
struct Weights {
  float4 pieces[kChunkPieces];
  __device__ void load(const Filter& filter, int group, int chunk, int row) {
    const float4* from = reinterpret_cast<const float4*>(filter.values) +
                         (static_cast<size_t>(group) * filter.chunks() + chunk) * kChunkPieces * kRowGroup +
                         row;
#pragma unroll
    for (int i = 0; i < kChunkPieces; ++i) {
      pieces[i] = chunk < filter.chunks() ? __ldcs(from + i * kRowGroup) : make_float4(0, 0, 0, 0);
    }
  }
};

/// Puts the normed columns into shared memory, a warp a column at a time.
__device__ inline void norm_columns(const float* x, int columns, int depth, int pitch, const ColumnNorm& norm,
                                    float* normed) {
  const int lane = threadIdx.x % kWarp;
  const int padded = pitch / ChunkedColumn::kPitch * kChunk;
  for (int c = threadIdx.x / kWarp; c < columns; c += blockDim.x / kWarp) {
    const ChunkedColumn column{normed + c * pitch};
    for (int i = lane; i < depth; i += kWarp) column[i] = __ldcg(x + static_cast<size_t>(c) * depth + i);
    for (int i = depth + lane; i < padded; i += kWarp) column[i] = 0;
    normalize_column(column, depth, norm, lane, column);
  }
  __syncthreads();
}

template <int Columns, Reading How, bool Normed>
__global__ void __launch_bounds__(kMostWarps* kWarp)
    narrow_kernel(Filter filter, Windows x, Streams streams, ColumnNorm norm, Results results, int columns) {
  extern __shared__ float4 normed4[];  // [Columns][chunks][kPitch]
  __shared__ Place places[Columns];
  __shared__ float parts[kMostWarps * kWarpChunks][Columns * kRowGroup];
  auto* normed = reinterpret_cast<float*>(normed4);
  const int warp = threadIdx.x / kWarp;
  const int row = threadIdx.x % kRowGroup;
  const int part = threadIdx.x / kRowGroup;  // Of the chunks that are summed at a time.
  const int step = blockDim.x / kRowGroup;
  const int chunks = filter.chunks();
  const int pitch = chunks * ChunkedColumn::kPitch;
  let_next_start();
  if (static_cast<int>(blockIdx.x) >= filter.row_groups()) {
    wait_for_previous();
    remember(x, streams, blockIdx.x - filter.row_groups(), gridDim.x - filter.row_groups());
    return;
  }
  Weights weights;
  weights.load(filter, blockIdx.x, part, row);
  if (!Normed && threadIdx.x < Columns) places[threadIdx.x] = place_of(x, streams, threadIdx.x);
  __syncthreads();
  wait_for_previous();
  if constexpr (Normed) norm_columns(x.steps, columns, filter.depth, pitch, norm, normed);

  const int out_row = blockIdx.x * kRowGroup + row;
  const bool sends = part < columns && out_row < filter.rows;  // The sum of column `part`.
  const Besides<float> ahead = sends ? besides<float>(filter, results, out_row, part) : Besides<float>{};
  float total = 0;
  for (int first = 0; first < chunks; first += step) {
    const int chunk = first + part;
    Weights next;
    if (first + step < chunks) next.load(filter, blockIdx.x, chunk + step, row);
    if (first + warp * kWarpChunks < chunks) {
#pragma unroll
      for (int c = 0; c < Columns; ++c) {
        float4 pieces[kChunkPieces];
#pragma unroll
        for (int i = 0; i < kChunkPieces; ++i) {
          if constexpr (Normed) {
            const bool inside = c < columns && chunk < chunks;
            const float* from = normed + c * pitch + chunk * ChunkedColumn::kPitch + i * 4;
            pieces[i] = inside ? *reinterpret_cast<const float4*>(from) : make_float4(0, 0, 0, 0);
          } else {
            pieces[i] = load_piece<How>(x, places[c], filter.depth, chunk * kChunk + i * 4);
          }
        }
        float sum = 0;
#pragma unroll
        for (int i = 0; i < kChunkPieces; ++i) add_products(weights.pieces[i], pieces[i], sum);
        parts[part][c * kRowGroup + row] = sum;
      }
    }
    __syncthreads();
    if (threadIdx.x < Columns * kRowGroup) {
      const int count = min(step, chunks - first);
#pragma unroll 8
      for (int i = 0; i < count; ++i) total += parts[i][threadIdx.x];
    }
    __syncthreads();
    weights = next;
  }
  if (sends) emit(filter, results, ahead, out_row, part, total);
}

template <int Columns, Reading How, bool Normed>
int launch(const Filter& filter, const Windows& windows, const Streams& streams, const ColumnNorm& norm,
           const Results& results, int columns, bool overlap, void* stream) {
  const int tasks = (filter.chunks() + kWarpChunks - 1) / kWarpChunks;
  int warps = tasks < kMostWarps ? tasks : kMostWarps;
  if (warps * kWarp < Columns * kRowGroup) warps = Columns * kRowGroup / kWarp;
  const size_t shared = Normed ? sizeof(float) * Columns * filter.chunks() * ChunkedColumn::kPitch : 0;
  if (shared > 0) {  // With `parts` it may be more than a kernel may take unasked.
    const cudaError_t status = cudaFuncSetAttribute(narrow_kernel<Columns, How, Normed>,
                                                    cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
    if (status != cudaSuccess) return static_cast<int>(status);
  }
  // Blocks beside the others remember for the next frame.
  const int remembered = streams.count * windows.remembered();
  const int blocks = filter.row_groups() + (remembered + kRememberedByBlock - 1) / kRememberedByBlock;
  return Launch(blocks, warps * kWarp, shared, overlap, stream)(narrow_kernel<Columns, How, Normed>, filter,
                                                                windows, streams, norm, results, columns);
}

template <Reading How, bool Normed>
int launch_for(const Filter& filter, const Windows& windows, const Streams& streams, const ColumnNorm& norm,
               const Results& results, int columns, bool overlap, void* stream) {
  const auto run = [&](auto kernel) {
    return kernel(filter, windows, streams, norm, results, columns, overlap, stream);
  };
  if (columns <= 1) return run(launch<1, How, Normed>);
  if constexpr (How == Reading::Ordered) {  // The others are rare, and long.
    if (columns <= 2) return run(launch<2, How, Normed>);
    if (columns <= 4) return run(launch<4, How, Normed>);
  }
  return run(launch<8, How, Normed>);
}

}  // namespace

int convolve_narrow(const Filter& filter, const Windows& windows, const Streams& streams,
                    const ColumnNorm& norm, const Results& results, bool overlap, void* stream) {
  const int columns = streams.count * windows.columns();
  const auto launch = [&] {
    if (norm.weight != nullptr) return launch_for<Reading::Ordered, true>;
    switch (reading_of(windows)) {
      case Reading::Ordered:
        return launch_for<Reading::Ordered, false>;
      case Reading::Pieces:
        return launch_for<Reading::Pieces, false>;
      case Reading::Any:
        break;
    }
    return launch_for<Reading::Any, false>;
  }();
  return launch(filter, windows, streams, norm, results, columns, overlap, stream);
}

}  // namespace moshi::cuda
