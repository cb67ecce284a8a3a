// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products of small matrices, one after the other: a block's weights are brought to shared memory before it
// waits for its activations, and leave room for the next kernels' blocks, which do the same. So memory is
// read while the chain of short kernels waits for one result after the other. Compute capability 9.0.
#pragma once

#include "cuda/bulk.cuh"
#include "cuda/products/output.cuh"

namespace moshi::cuda {

/// Where things lie in a block's shared memory, behind its weights.
template <Element E, int RowGroups, int ColumnTiles>
struct StagedLayout {
  static constexpr int kRows = RowGroups * kTileRows;
  static constexpr int kStride = ColumnTiles * kTileColumns + 1;
  size_t scratch;   ///< Of the input, then the chains' sums.
  size_t operands;  ///< [tiles][columns][kTileDepth], where the input makes them.
  size_t kept;      ///< What the input keeps from begin() on.
  size_t bytes;
  template <typename Input>
  __host__ __device__ StagedLayout(const Input& input, int depth) {
    constexpr size_t kParts = sizeof(float) * kChains * kRows * kStride;
    const size_t wanted = input.scratch_bytes(depth);
    scratch = static_cast<size_t>(RowGroups) * (depth / kTileDepth) * Fragment<E>::kTileBytes;
    operands = scratch + aligned(wanted > kParts ? wanted : kParts);
    kept = operands + aligned(input.operand_bytes(depth));
    bytes = kept + input.kept_bytes();
  }
  __host__ __device__ static constexpr size_t aligned(size_t bytes) { return (bytes + 127) / 128 * 128; }
};

/// Grid: row groups, columns. `Input`: begin() may run before the kernels before have ended, prepare() makes
/// operands, load() reads them for a tile.
template <Element E, int RowGroups, int ColumnTiles, typename Input>
__global__ void __launch_bounds__(Input::kThreads) staged_kernel(Matrix w, Input input, Output output) {
#if __CUDA_ARCH__ >= 900
  using Layout = StagedLayout<E, RowGroups, ColumnTiles>;
  extern __shared__ __align__(128) char memory[];
  __shared__ uint64_t arrived;
  constexpr int kColumns = ColumnTiles * kTileColumns;
  const Layout layout(input, w.depth);
  const int tiles = w.depth / kTileDepth;
  const int chain = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int first_group = blockIdx.x * RowGroups;
  const int first_row = first_group * kTileRows;
  const int first_column = blockIdx.y * kColumns;
  const int groups = max(0, min(RowGroups, w.row_groups() - first_group));  // A cluster's last may have none.
  const int group_bytes = tiles * Fragment<E>::kTileBytes;
  let_next_start();
  if (threadIdx.x == 0) {
    init_barrier(&arrived, 1);
    publish_barriers();
    expect(&arrived, groups * group_bytes);
    for (int r = 0; r < groups; ++r) {
      bulk_copy(memory + r * group_bytes,
                static_cast<const char*>(w.tiles) + static_cast<size_t>(first_group + r) * group_bytes,
                group_bytes, &arrived);
    }
  }
  input.begin(memory + layout.kept, w.depth);

  // What the block's results need besides sums is read before these are made, constants before all else.
  constexpr int kResults = (Layout::kRows * kColumns + Input::kThreads - 1) / Input::kThreads;
  const int results = results_of(output, Layout::kRows);
  const int columns = min(kColumns, input.columns - first_column);
  const auto for_results = [&](const auto& use) {
#pragma unroll
    for (int n = 0; n < kResults; ++n) {
      const int i = n * Input::kThreads + static_cast<int>(threadIdx.x);
      const int row = row_of(output, i % results);
      if (i < results * columns && first_row + row < w.rows) use(n, row, first_column + i / results);
    }
  };
  Terms terms[kResults];
  for_results([&](int n, int row, int) { terms[n] = constant_terms_of(w, output, first_row + row); });
  __syncthreads();  // The barrier can be waited for.
  wait_for_previous();
  for_results(
      [&](int n, int row, int column) { terms[n].there = there_of(output, first_row + row, column); });
  char* operands = memory + layout.operands;
  input.prepare(operands, memory + layout.scratch, memory + layout.kept, w.depth);

  auto* parts = reinterpret_cast<float*>(memory + layout.scratch);
  if (chain < kChains) {
    TensorSums<E, ColumnTiles> sums[RowGroups];
    wait(&arrived, 0);
    constexpr int kAtOnce = ColumnTiles == 1 ? 4 : ColumnTiles <= 4 ? 2 : 1;
#pragma unroll kAtOnce
    for (int tile = chain; tile < tiles; tile += kChains) {
      uint4 x[ColumnTiles];
      input.load(operands, first_column, tile, lane, x);
#pragma unroll
      for (int r = 0; r < RowGroups; ++r) {
        if (r >= groups) break;
        Fragment<E> fragment;
        fragment.load_shared(memory + r * group_bytes + tile * Fragment<E>::kTileBytes, lane);
        sums[r].add(fragment, x);
      }
    }
#pragma unroll
    for (int r = 0; r < RowGroups; ++r) {
      sums[r].store(parts + (chain * Layout::kRows + r * kTileRows) * Layout::kStride, Layout::kStride, lane);
    }
  }
  __syncthreads();
  for_results([&](int n, int row, int column) {
    write<E>(output, terms[n], parts - first_column, Layout::kRows, Layout::kStride, first_row, row, column);
  });
#endif
}

template <Element E, int RowGroups, int ColumnTiles, typename Input>
int launch_staged(const Matrix& w, const Input& input, const Output& output, bool overlap, void* stream) {
  constexpr int kColumns = ColumnTiles * kTileColumns;
  const auto kernel = staged_kernel<E, RowGroups, ColumnTiles, Input>;
  const size_t shared = StagedLayout<E, RowGroups, ColumnTiles>(input, w.depth).bytes;
  const int status = allow_shared(kernel, shared);
  if (status != 0) return status;
  const unsigned blocks = (w.row_groups() + RowGroups - 1) / RowGroups;
  const dim3 grid((blocks + Input::kCluster - 1) / Input::kCluster * Input::kCluster,
                  (input.columns + kColumns - 1) / kColumns);
  return Launch(grid, Input::kThreads, shared, overlap, stream, Input::kCluster)(kernel, w, input, output);
}

/// For up to 8 columns: two row groups a block where a device has not a multiprocessor for each.
template <Element E, typename Input>
int launch_staged_few(const Matrix& w, const Input& input, const Output& output, bool overlap, void* stream) {
  const bool pairs = w.row_groups() > limits().multiprocessors &&
                     2 * StagedLayout<E, 2, 1>(input, w.depth).bytes <= static_cast<size_t>(limits().shared);
  return pairs ? launch_staged<E, 2, 1>(w, input, output, overlap, stream)
               : launch_staged<E, 1, 1>(w, input, output, overlap, stream);
}

/// An input that makes operands of up to 8 columns in shared memory.
struct Prepared {
  int columns;
  __host__ __device__ size_t operand_bytes(int depth) const { return sizeof(__half) * columns * depth; }
  /// Lane (g, t) multiplies column g, or one there is.
  __device__ void load(const char* operands, int, int tile, int lane, uint4 (&x)[1]) const {
    const int piece = (tile * columns + min(lane / 4, columns - 1)) * (kTileDepth / 8) + lane % 4;
    x[0] = reinterpret_cast<const uint4*>(operands)[piece];
  }
};

/// An input whose blocks work alone.
struct Plain {
  static constexpr int kThreads = kChains * kWarp;
  static constexpr unsigned kCluster = 1;
};

/// Activations as they are, for many columns: each tile is read when it is multiplied.
struct Direct : Plain {
  const void* values;
  int columns;
  Direct(const void* x, int count) : values(x), columns(count) {}
  __host__ __device__ size_t scratch_bytes(int) const { return 0; }
  __host__ __device__ size_t operand_bytes(int) const { return 0; }
  __host__ __device__ size_t kept_bytes() const { return 0; }
  __device__ void begin(char*, int) const {}
  __device__ void prepare(char*, char*, char*, int) const {}
  template <int ColumnTiles>
  __device__ void load(const char*, int first_column, int tile, int lane, uint4 (&x)[ColumnTiles]) const {
#pragma unroll
    for (int i = 0; i < ColumnTiles; ++i) {
      const int column = first_column + i * kTileColumns + lane / 4;
      x[i] = make_uint4(0, 0, 0, 0);
      if (column >= columns) continue;
      // Past the first cache: the kernel before may still have run beside this one.
      x[i] =
          __ldcg(static_cast<const uint4*>(values) + (tile * columns + column) * (kTileDepth / 8) + lane % 4);
    }
  }
};

/// Activations as they are, for few columns: all are read at once.
struct Copied : Plain, Prepared {
  const void* values;
  Copied(const void* x, int count) : Prepared{count}, values(x) {}
  __host__ __device__ size_t scratch_bytes(int) const { return 0; }
  __host__ __device__ size_t kept_bytes() const { return 0; }
  __device__ void begin(char*, int) const {}
  __device__ void prepare(char* operands, char*, char*, int depth) const {
#pragma unroll 4
    for (int i = threadIdx.x; i < columns * depth / 8; i += kThreads) {
      reinterpret_cast<uint4*>(operands)[i] = __ldcg(static_cast<const uint4*>(values) + i);
    }
    __syncthreads();
  }
};

}  // namespace moshi::cuda
