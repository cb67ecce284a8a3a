// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/linear.h"

#include "cuda/products/output.cuh"
#include "cuda/products/resident.h"
#include "cuda/products/staged.h"
#include "cuda/products/streamed.h"
#include "cuda/products/wide.h"

namespace moshi::cuda {
namespace {

/// What lane (g, t) multiplies of a tile's activations: column g of each column tile.
template <int ColumnTiles>
__device__ inline void load_columns(const Activations& x, int first_column, int tile, int lane,
                                    uint4 (&v)[ColumnTiles]) {
  const auto* values = static_cast<const unsigned short*>(x.values);
#pragma unroll
  for (int i = 0; i < ColumnTiles; ++i) {
    const int column = first_column + i * kTileColumns + lane / 4;
    v[i] = make_uint4(0, 0, 0, 0);
    if (column < x.columns) {
      // Past the first cache: the kernel before may still have run beside this one.
      v[i] = __ldcg(
          reinterpret_cast<const uint4*>(values + (tile * x.columns + column) * kTileDepth + lane % 4 * 8));
    }
  }
}

// ---------------------------------------------------------------------- products without tensor cores

/// Lane (g, t)'s weights of a tile: rows g and g + 8 at k = 8 t to 8 t + 7.
template <Element E>
__device__ inline void unpack(const Fragment<E>& fragment, float (&w)[2][8]) {
  if constexpr (E == Element::F32) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const auto v = *reinterpret_cast<const float4*>(&fragment.pieces[i]);
      float* place = &w[i / 2][i % 2 * 4];
      place[0] = v.x, place[1] = v.y, place[2] = v.z, place[3] = v.w;
    }
  } else if constexpr (E == Element::BF16) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {  // Register i: half, pair, row half.
      const auto* words = reinterpret_cast<const unsigned*>(&fragment.pieces[i / 4]);
      const unsigned word = words[i % 4];
      float* place = &w[i % 2][i / 4 * 4 + i % 4 / 2 * 2];
      place[0] = __uint_as_float(word << 16);
      place[1] = __uint_as_float(word & 0xFFFF0000U);
    }
  } else {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&fragment.pieces[0]);
#pragma unroll
    for (int i = 0; i < 16; ++i) w[i % 2][i / 2] = static_cast<float>(bytes[i]) - 128.0F;
  }
}

template <Element E>
__device__ inline void load_operands(const Activations& x, int index, float (&v)[8]) {
  using Type = typename Operand<E>::Type;
  const auto* values = static_cast<const Type*>(x.values) + index;
#pragma unroll
  for (int i = 0; i < 8; ++i) v[i] = static_cast<float>(__ldcg(values + i));
}

/// A warp's sums of one row group and 8 columns: a lane has rows g and g + 8, and a quarter of each depth.
template <Element E>
struct PlainSums {
  float sums[2][kTileColumns] = {};

  __device__ void add(const Fragment<E>& fragment, const Activations& x, int first_column, int tile,
                      int lane) {
    float w[2][8];
    unpack(fragment, w);
#pragma unroll
    for (int i = 0; i < kTileColumns; ++i) {
      if (first_column + i >= x.columns) break;
      float v[8];
      load_operands<E>(x, (tile * x.columns + first_column + i) * kTileDepth + lane % 4 * 8, v);
#pragma unroll
      for (int k = 0; k < 8; ++k) {
        sums[0][i] = fmaf(w[0][k], v[k], sums[0][i]);
        sums[1][i] = fmaf(w[1][k], v[k], sums[1][i]);
      }
    }
  }
  __device__ void store(float* part, int stride, int lane) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int i = 0; i < kTileColumns; ++i) {
        float sum = sums[half][i];
        sum += __shfl_xor_sync(~0U, sum, 1);
        sum += __shfl_xor_sync(~0U, sum, 2);
        if (lane % 4 == 0) part[(lane / 4 + 8 * half) * stride + i] = sum;
      }
    }
  }
};

// ------------------------------------------------------------------------------------------ kernels

/// Walks a warp's chain: `use(i, fragments)` for tile chain + 8 i of each row group, weights read ahead.
template <Element E, int RowGroups, int Ahead, typename Use>
__device__ inline void walk_chain(const Matrix& w, int first_group, int chain, int lane, const Use& use) {
  const int tiles = w.depth / kTileDepth;
  const int count = (tiles - chain + kChains - 1) / kChains;
  const char* groups[RowGroups];
#pragma unroll
  for (int r = 0; r < RowGroups; ++r) {
    const int group = min(first_group + r, w.row_groups() - 1);
    groups[r] = static_cast<const char*>(w.tiles) +
                (static_cast<size_t>(group) * tiles + chain) * Fragment<E>::kTileBytes;
  }
  Fragment<E> stages[2][Ahead][RowGroups];
  const auto load = [&](int stage, int base) {
#pragma unroll
    for (int s = 0; s < Ahead; ++s) {
      if (base + s >= count) break;
#pragma unroll
      for (int r = 0; r < RowGroups; ++r) {
        stages[stage][s][r].load(
            groups[r] + static_cast<size_t>(base + s) * kChains * Fragment<E>::kTileBytes, lane);
      }
    }
  };
  const auto consume = [&](int stage, int base) {
#pragma unroll
    for (int s = 0; s < Ahead; ++s) {
      if (base + s >= count) break;
      use(chain + (base + s) * kChains, stages[stage][s]);
    }
  };
  load(0, 0);
  load(1, Ahead);
  wait_for_previous();  // Weights are nobody's result; activations are.
  for (int base = 0; base < count; base += 2 * Ahead) {
    consume(0, base);
    load(0, base + 2 * Ahead);
    consume(1, base + Ahead);
    load(1, base + 3 * Ahead);
  }
}

/// A block's results: all rows of `parts` [kChains][rows][stride] and `columns` columns.
template <Element E>
__device__ inline void write_all(const Matrix& w, const Output& output, const float* parts, int rows,
                                 int stride, int first_row, int first_column, int columns) {
  const int results = results_of(output, rows);
  for (int i = threadIdx.x; i < results * columns; i += blockDim.x) {
    const int row = row_of(output, i % results);
    if (first_row + row >= w.rows) continue;
    const int column = first_column + i / results;
    const Terms terms = terms_of(w, output, first_row + row, column);
    write<E>(output, terms, parts - first_column, rows, stride, first_row, row, column);
  }
}

template <Element E, int RowGroups, int ColumnTiles>
__global__ void __launch_bounds__(kChains* kWarp) tensor_kernel(Matrix w, Activations x, Output output) {
  extern __shared__ float parts[];
  constexpr int kRows = RowGroups * kTileRows;
  constexpr int kStride = ColumnTiles * kTileColumns + 1;
  const int chain = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int first_group = blockIdx.x * RowGroups;
  let_next_start();
  TensorSums<E, ColumnTiles> sums[RowGroups];
  walk_chain<E, RowGroups, 4 / RowGroups>(w, first_group, chain, lane,
                                          [&](int tile, const Fragment<E>(&fragments)[RowGroups]) {
                                            uint4 columns[ColumnTiles];
                                            load_columns(x, 0, tile, lane, columns);
#pragma unroll
                                            for (int r = 0; r < RowGroups; ++r)
                                              sums[r].add(fragments[r], columns);
                                          });
#pragma unroll
  for (int r = 0; r < RowGroups; ++r) {
    sums[r].store(parts + (chain * kRows + r * kTileRows) * kStride, kStride, lane);
  }
  __syncthreads();
  write_all<E>(w, output, parts, kRows, kStride, first_group * kTileRows, 0, x.columns);
}

template <Element E>
__global__ void __launch_bounds__(kChains* kWarp) plain_kernel(Matrix w, Activations x, Output output) {
  constexpr int kStride = kTileColumns + 1;
  __shared__ float parts[kChains * kTileRows * kStride];
  const int chain = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int first_column = blockIdx.y * kTileColumns;
  let_next_start();
  PlainSums<E> sums;
  walk_chain<E, 1, E == Element::F32 ? 2 : 4>(w, blockIdx.x, chain, lane,
                                              [&](int tile, const Fragment<E>(&fragments)[1]) {
                                                sums.add(fragments[0], x, first_column, tile, lane);
                                              });
  sums.store(parts + chain * kTileRows * kStride, kStride, lane);
  __syncthreads();
  write_all<E>(w, output, parts, kTileRows, kStride, blockIdx.x * kTileRows, first_column,
               min(kTileColumns, x.columns - first_column));
}

template <Element E>
int launch_plain(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  const dim3 grid(w.row_groups(), (x.columns + kTileColumns - 1) / kTileColumns);
  return Launch(grid, kChains * kWarp, 0, overlap, stream)(plain_kernel<E>, w, x, output);
}

template <Element E, int RowGroups, int ColumnTiles>
int launch_tensor(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  constexpr size_t shared =
      sizeof(float) * kChains * RowGroups * kTileRows * (ColumnTiles * kTileColumns + 1);
  const auto kernel = tensor_kernel<E, RowGroups, ColumnTiles>;
  const int status = allow_shared(kernel, shared);
  if (status != 0) return status;
  const dim3 grid((w.row_groups() + RowGroups - 1) / RowGroups);
  return Launch(grid, kChains * kWarp, shared, overlap, stream)(kernel, w, x, output);
}

template <Element E>
int launch(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  if (limits().major < 8) return launch_plain<E>(w, x, output, overlap, stream);
  if (x.columns <= 8) return launch_tensor<E, 1, 1>(w, x, output, overlap, stream);
  if (x.columns <= 16) return launch_tensor<E, 2, 2>(w, x, output, overlap, stream);
  if (x.columns <= 32) return launch_tensor<E, 2, 4>(w, x, output, overlap, stream);
  return launch_tensor<E, 2, 8>(w, x, output, overlap, stream);
}

}  // namespace

int multiply(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  if (x.columns < 1 || x.columns > kMostColumns || x.depth != w.depth) return cudaErrorInvalidValue;
  if (staged_takes(w, x.columns)) return multiply_staged(w, x, output, overlap, stream);
  if (streamed_takes(w, x.columns)) return multiply_streamed(w, x, output, overlap, stream);
  if (resident_takes(w, x.columns)) return multiply_resident(w, x, output, overlap, stream);
  if (wide_takes(w, x.columns)) return multiply_wide(w, x, output, overlap, stream);
  switch (w.element) {
    case Element::BF16:
      return launch<Element::BF16>(w, x, output, overlap, stream);
    case Element::Int8:
      return launch<Element::Int8>(w, x, output, overlap, stream);
    case Element::F32:
      break;
  }
  return launch_plain<Element::F32>(w, x, output, overlap, stream);
}

int multiply_normed(const Matrix& w, const float* x, const Norm& norm, const Activations& normed,
                    const Output& output, bool overlap, void* stream) {
  if (normed.columns < 1 || normed.columns > kMostColumns || normed.depth != w.depth) {
    return cudaErrorInvalidValue;
  }
  if (staged_takes(w, normed.columns, norm)) {
    return multiply_staged(w, x, normed.columns, norm, output, overlap, stream);
  }
  if (streamed_takes(w, normed.columns, norm)) {
    return multiply_streamed(w, x, normed.columns, norm, output, overlap, stream);
  }
  const int status = normalize(x, norm, normed, w.element, output.overflows, overlap, stream);
  return status != 0 ? status : multiply(w, normed, output, overlap, stream);
}

}  // namespace moshi::cuda
