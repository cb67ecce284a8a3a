// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/streamed.h"

#include "cuda/products/streamed.cuh"

namespace moshi::cuda {
namespace {

using namespace streamed;

/// More than half of a multiprocessor's shared memory: two blocks of one would leave another without.
constexpr int kMostStages = 8;
constexpr int kFewestStages = 4;
/// Left to attention and norms, whose blocks wait beside.
constexpr int kSpareShared = 40 * 1024;
constexpr int kPartStride = kTileColumns + 1;
constexpr int kPartFloats = kTogether * kChains * kTileRows * kPartStride;

/// Where things lie in a block's shared memory, behind the stages.
struct Layout {
  int stages = 0;
  int operands = 0;  ///< [tiles][columns][kTileDepth], 2 bytes each.
  int parts = 0;     ///< The chains' sums of the row groups that are multiplied together.
  int bytes = 0;
};

Layout layout_of(int columns, int depth) {
  const int operand_bytes = (2 * columns * depth + 127) / 128 * 128;
  constexpr int part_bytes = kPartFloats * static_cast<int>(sizeof(float));
  const int room = limits().shared - kSpareShared - operand_bytes - part_bytes;
  Layout layout;
  layout.stages = min(kMostStages, room / kStageBytes);
  layout.operands = layout.stages * kStageBytes;
  layout.parts = layout.operands + operand_bytes;
  layout.bytes = layout.parts + part_bytes;
  return layout;
}

struct Barriers {
  uint64_t full[kMostStages];
  uint64_t empty[kMostStages];
};

/// Normed: columns of a norm inside; 0: there is none.
template <Element E, int Normed>
__global__ void __launch_bounds__(kThreads, 1)
    streamed_kernel(Matrix w, const void* x, int columns, Norm norm, Output output, Layout layout) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) char memory[];
  __shared__ Barriers barriers;
  const int tiles = w.depth / kTileDepth;
  const int chain = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  let_next_start();

  // The block's row groups are consecutive, and as many as another's or one more.
  const auto bound = [&](unsigned block) {
    return static_cast<int>(static_cast<int64_t>(w.row_groups()) * block / gridDim.x);
  };
  const int first_group = bound(blockIdx.x);
  const int row_groups = bound(blockIdx.x + 1) - first_group;
  const int steps = (tiles + kChains * kAhead<E> - 1) / (kChains * kAhead<E>);
  if (chain == kChains) {
    if (lane == 0) {
      for (int i = 0; i < layout.stages; ++i) {
        init_barrier(barriers.full + i, 1);
        init_barrier(barriers.empty + i, kChains);
      }
      publish_barriers();
    }
    __syncthreads();
    if (lane != 0) return;
    Supply<E> supply{static_cast<const char*>(w.tiles) +
                         static_cast<size_t>(first_group) * tiles * Fragment<E>::kTileBytes,
                     tiles, row_groups, once_policy()};
    for (int i = 0; i < layout.stages && !supply.done(); ++i)
      supply.bring(memory + i * kStageBytes, barriers.full + i);
    for (RingPlace place; !supply.done(); place.advance(layout.stages)) {
      wait(barriers.empty + place.stage, place.parity);
      supply.bring(memory + place.stage * kStageBytes, barriers.full + place.stage);
    }
    return;
  }
  prefetch_terms(w, output, first_group * kTileRows, row_groups * kTileRows, threadIdx.x, kMultiplying);
  __syncthreads();

  char* operands = memory + layout.operands;
  const int tile_bytes = columns * kTileDepth * 2;
  if constexpr (Normed > 0) {
    int* counted = blockIdx.x == 0 ? output.overflows : nullptr;  // Every block finds the same.
    norm_operands<E, Normed>(static_cast<const float*>(x), norm, w.depth,
                             reinterpret_cast<typename Operand<E>::Type*>(operands), counted);
  } else {
    wait_for_previous();
    copy_operands(static_cast<const uint4*>(x), reinterpret_cast<uint4*>(operands), tiles * tile_bytes / 16);
  }

  // Lane (g, t) multiplies column g, or one there is.
  operands += chain * tile_bytes + min(lane / 4, columns - 1) * kTileDepth * 2 + lane % 4 * 16;
  auto* parts = reinterpret_cast<float*>(memory + layout.parts);
  const int results = results_of(output, kTileRows);
  const int own = threadIdx.x / results;  // Column and row group.
  const int row = row_of(output, threadIdx.x % results) + own / columns * kTileRows;
  const int column = own % columns;
  const int count = (tiles - chain + kChains - 1) / kChains;
  RingPlace place;
  for (int group = 0; group < row_groups; group += kTogether) {
    const int first_row = (first_group + group) * kTileRows;
    const int end = min(w.rows, (first_group + row_groups) * kTileRows);
    const bool writes = own < kTogether * columns && first_row + row < end;
    Terms terms;
    if (writes) terms = terms_of(w, output, first_row + row, column);
    TensorSums<E, 1> sums[kTogether];
    for (int step = 0; step < steps; ++step, place.advance(layout.stages)) {
      wait(barriers.full + place.stage, place.parity);
      const char* stage = memory + place.stage * kStageBytes + chain * Fragment<E>::kTileBytes;
      const char* x_here = operands + step * kAhead<E> * kChains * tile_bytes;
      const int here = count - step * kAhead<E>;
      Fragment<E> fragments[kAhead<E>][kTogether];
      uint4 v[kAhead<E>];
#pragma unroll
      for (int i = 0; i < kAhead<E>; ++i) {
        if (i >= here) break;
#pragma unroll
        for (int r = 0; r < kTogether; ++r) {  // An odd last one has no second: nobody reads its sums.
          fragments[i][r].load_shared(
              stage + r * (kStageBytes / kTogether) + i * kChains * Fragment<E>::kTileBytes, lane);
        }
        v[i] = *reinterpret_cast<const uint4*>(x_here + i * kChains * tile_bytes);
      }
#pragma unroll
      for (int i = 0; i < kAhead<E>; ++i) {
        if (i >= here) break;
        add_together<E>(sums, fragments[i], v[i]);
      }
      __syncwarp();
      if (lane == 0) arrive(barriers.empty + place.stage);
    }
    meet();  // Those before are written.
#pragma unroll
    for (int r = 0; r < kTogether; ++r) {
      sums[r].store(parts + (chain * kTogether + r) * kTileRows * kPartStride, kPartStride, lane);
    }
    meet();
    if (writes) write<E>(output, terms, parts, kTogether * kTileRows, kPartStride, first_row, row, column);
  }
#endif
}

template <Element E, int Normed>
int launch(const Matrix& w, const void* x, int columns, const Norm& norm, const Output& output, bool overlap,
           void* stream) {
  const Layout layout = layout_of(columns, w.depth);
  const auto kernel = streamed_kernel<E, Normed>;
  const int status = allow_shared(kernel, layout.bytes);
  if (status != 0) return status;
  const int blocks = min(limits().multiprocessors, w.row_groups());
  return Launch(blocks, kThreads, layout.bytes, overlap, stream)(kernel, w, x, columns, norm, output, layout);
}

template <Element E>
int launch(const Matrix& w, const float* x, int columns, const Norm& norm, const Output& output, bool overlap,
           void* stream) {
  static_assert(kMostNormed == 2);
  return columns == 1 ? launch<E, 1>(w, x, columns, norm, output, overlap, stream)
                      : launch<E, 2>(w, x, columns, norm, output, overlap, stream);
}

}  // namespace

bool streamed_takes(const Matrix& w, int columns) {
  if (w.element == Element::F32 || limits().major < 9 || columns > kTileColumns) return false;
  // Before its first row group a block reads all activations: many of them are worth it for several row
  // groups (measured on an H200).
  const bool pays = columns <= 2 || w.row_groups() >= 4 * limits().multiprocessors;
  return pays && layout_of(columns, w.depth).stages >= kFewestStages;
}

bool streamed_takes(const Matrix& w, int columns, const Norm& norm) {
  return is_plain_rms(norm) && columns <= kMostNormed && w.depth <= kNormSteps * kNormStep &&
         streamed_takes(w, columns);
}

int multiply_streamed(const Matrix& w, const Activations& x, const Output& output, bool overlap,
                      void* stream) {
  return w.element == Element::BF16
             ? launch<Element::BF16, 0>(w, x.values, x.columns, Norm{}, output, overlap, stream)
             : launch<Element::Int8, 0>(w, x.values, x.columns, Norm{}, output, overlap, stream);
}

int multiply_streamed(const Matrix& w, const float* x, int columns, const Norm& norm, const Output& output,
                      bool overlap, void* stream) {
  return w.element == Element::BF16 ? launch<Element::BF16>(w, x, columns, norm, output, overlap, stream)
                                    : launch<Element::Int8>(w, x, columns, norm, output, overlap, stream);
}

}  // namespace moshi::cuda
