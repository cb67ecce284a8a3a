// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/resident.h"

#include "cuda/bulk.cuh"
#include "cuda/products/output.cuh"

namespace moshi::cuda {
namespace {

/// A block's halves take its row groups in turns, each with a warp for every chain.
constexpr int kHalves = 2;
constexpr int kHalfThreads = kChains * kWarp;
constexpr int kThreads = kHalves * kHalfThreads;
/// Tiles of one stage of a chain; two stages are in registers.
constexpr int kAhead = 4;
/// Activations arrive in pieces, one for every stage of the chains.
constexpr int kPieceTiles = kChains * kAhead;
constexpr int kMostPieces = 64;
constexpr int kPartStride = kTileColumns + 1;
constexpr int kPartFloats = kChains * kTileRows * kPartStride;

/// Shared memory of one block: the chains' sums, then activations [tiles][columns][kTileDepth], 2 bytes each.
constexpr size_t kOperands = sizeof(float) * kHalves * 2 * kPartFloats;
static_assert(kOperands % 128 == 0);

size_t shared_bytes(int columns, int depth) { return kOperands + sizeof(__half) * columns * depth; }

/// Reads a warp's chain in the row groups of its half, a stage at a time.
template <Element E>
struct Reader {
  const char* tile;  ///< The next stage's first.
  int stages;        ///< Of one row group.
  int count;         ///< Tiles of the chain.
  int row_groups;    ///< Still to read.
  size_t to_next;    ///< From one row group's first tile to the next one's.
  int stage = 0;

  static constexpr int kStep = kChains * Fragment<E>::kTileBytes;
  __device__ void load(Fragment<E> (&fragments)[kAhead], int lane) {
    if (row_groups == 0) return;
#pragma unroll
    for (int s = 0; s < kAhead; ++s) {
      if (stage * kAhead + s < count) fragments[s].load(tile + s * kStep, lane);
    }
    tile += kAhead * kStep;
    if (++stage == stages) {
      stage = 0;
      --row_groups;
      tile += to_next - static_cast<size_t>(stages) * kAhead * kStep;
    }
  }
};

template <Element E>
__global__ void __launch_bounds__(kThreads, 1) resident_kernel(Matrix w, Activations x, Output output) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) char memory[];
  __shared__ uint64_t arrived[kMostPieces];
  const int tiles = w.depth / kTileDepth;
  const int columns = x.columns;
  const int half = threadIdx.x / kHalfThreads;
  const int thread = threadIdx.x % kHalfThreads;
  const int chain = thread / kWarp;
  const int lane = threadIdx.x % kWarp;
  let_next_start();

  // The block's row groups are consecutive, and as many as another's or one more.
  const auto bound = [&](unsigned block) {
    return static_cast<int>(static_cast<int64_t>(w.row_groups()) * block / gridDim.x);
  };
  const int first_group = bound(blockIdx.x) + half;
  const int row_groups = (bound(blockIdx.x + 1) - first_group + 1) / kHalves;
  const int count = (tiles - chain + kChains - 1) / kChains;
  const int stages = (tiles + kPieceTiles - 1) / kPieceTiles;
  const size_t group_bytes = static_cast<size_t>(tiles) * Fragment<E>::kTileBytes;
  Reader<E> reader{static_cast<const char*>(w.tiles) + first_group * group_bytes +
                       static_cast<size_t>(chain) * Fragment<E>::kTileBytes,
                   stages, count, row_groups, kHalves * group_bytes};
  Fragment<E> fragments[2][kAhead];
  reader.load(fragments[0], lane);
  reader.load(fragments[1], lane);

  const int tile_bytes = columns * kTileDepth * 2;
  if (threadIdx.x == 0) {
    for (int i = 0; i < stages; ++i) init_barrier(arrived + i, 1);
    publish_barriers();
    wait_for_previous();
    for (int i = 0; i < stages; ++i) {
      const int bytes = min(kPieceTiles, tiles - i * kPieceTiles) * tile_bytes;
      const size_t offset = static_cast<size_t>(i) * kPieceTiles * tile_bytes;
      expect(arrived + i, bytes);
      bulk_copy(memory + kOperands + offset, static_cast<const char*>(x.values) + offset, bytes, arrived + i);
    }
  } else {
    wait_for_previous();
  }
  __syncthreads();

  // Lane (g, t) multiplies column g, or one there is.
  const char* operands = memory + kOperands + static_cast<size_t>(chain) * tile_bytes +
                         min(lane / 4, columns - 1) * kTileDepth * 2 + lane % 4 * 16;
  float* rooms = reinterpret_cast<float*>(memory) + half * 2 * kPartFloats;
  int room = 0;
  const int results = results_of(output, kTileRows);
  const int row = row_of(output, thread % results);
  const int column = thread / results;
  int first_row = first_group * kTileRows;
  int stage = 0;
  bool arrived_all = false;
  TensorSums<E, 1> sums;
  const auto consume = [&](const Fragment<E>(&stage_fragments)[kAhead]) {
    if (!arrived_all) wait(arrived + stage, 0);
#pragma unroll
    for (int s = 0; s < kAhead; ++s) {
      const int i = stage * kAhead + s;
      if (i >= count) break;
      const uint4 v[1] = {*reinterpret_cast<const uint4*>(operands + i * kChains * tile_bytes)};
      sums.add(stage_fragments[s], v);
    }
    if (++stage < stages) return;
    const bool writes = column < columns && first_row + row < w.rows;
    Terms terms;
    if (writes) terms = terms_of(w, output, first_row + row, column);
    // Two rooms by turns: who writes one again has seen everybody leave it at the other's barrier.
    float* parts = rooms + room * kPartFloats;
    room ^= 1;
    sums.store(parts + chain * kTileRows * kPartStride, kPartStride, lane);
    asm volatile("bar.sync %0, %1;" ::"r"(1 + half), "n"(kHalfThreads) : "memory");
    if (writes) write<E>(output, terms, parts, kTileRows, kPartStride, first_row, row, column);
    first_row += kHalves * kTileRows;
    stage = 0;
    arrived_all = true;
    sums = {};
  };
  for (int left = row_groups * stages; left > 0; left -= 2) {
    consume(fragments[0]);
    reader.load(fragments[0], lane);
    if (left == 1) break;
    consume(fragments[1]);
    reader.load(fragments[1], lane);
  }
#endif
}

template <Element E>
int launch(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  const auto kernel = resident_kernel<E>;
  const size_t shared = shared_bytes(x.columns, w.depth);
  const int status = allow_shared(kernel, shared);
  if (status != 0) return status;
  const int blocks = min(limits().multiprocessors, w.row_groups());
  return Launch(blocks, kThreads, shared, overlap, stream)(kernel, w, x, output);
}

}  // namespace

bool resident_takes(const Matrix& w, int columns) {
  constexpr int kOwnShared = 2048;  // What the kernel declares itself.
  return w.element != Element::F32 && limits().major >= 9 && columns <= kTileColumns &&
         w.depth <= kMostPieces * kPieceTiles * kTileDepth &&
         shared_bytes(columns, w.depth) + kOwnShared <= static_cast<size_t>(limits().shared);
}

int multiply_resident(const Matrix& w, const Activations& x, const Output& output, bool overlap,
                      void* stream) {
  return w.element == Element::BF16 ? launch<Element::BF16>(w, x, output, overlap, stream)
                                    : launch<Element::Int8>(w, x, output, overlap, stream);
}

}  // namespace moshi::cuda
