// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/wide.h"

#include "cuda/products/output.cuh"
#include "cuda/products/wide.cuh"

namespace moshi::cuda {
namespace {

using namespace wide;

constexpr int column_tiles(int columns) { return columns <= 16 ? 2 : columns <= 32 ? 4 : 8; }

Plan plan_of(const Matrix& w, int columns) {
  const auto shares = [](int whole, int most) { return (whole + most - 1) / most; };
  const int tile_bytes = kTileRows * kTileDepth * (w.element == Element::BF16 ? 2 : 1);
  Plan plan;
  plan.clusters = min(limits().multiprocessors / kRanks, w.row_groups());
  const int groups = shares(w.row_groups(), plan.clusters);
  plan.groups = shares(groups, shares(groups, kMostGroups));
  plan.teams = shares(plan.groups, kTeamGroups);
  plan.stage_bytes = kOwnChains * (plan.groups * tile_bytes + columns * kTileDepth * 2);
  const int exchange = plan.teams * kOwnChains * kOwnChains * kPieceBytes;
  const int received = plan.teams * kTeamGroups * column_tiles(columns) * kPieceBytes;
  const int room = limits().shared - kSpareShared - exchange - received;
  plan.stages = min(kMostStages, max(room, 0) / plan.stage_bytes);
  plan.exchange = plan.stages * plan.stage_bytes;
  plan.received = plan.exchange + exchange;
  plan.bytes = plan.received + received;
  return plan;
}

/// A warp that multiplies: one chain of its team's row groups.
template <Element E, int ColumnTiles>
struct Worker {
  static constexpr int kPieces = kTeamGroups * ColumnTiles;
  static constexpr int kRounds = kPieces / kOwnChains;
  static_assert(kPieces % kOwnChains == 0);
  const Matrix& w;
  const Activations& x;
  const Output& output;
  int lane = static_cast<int>(threadIdx.x) % kWarp;
  int team;
  int chain;         ///< Of the block's.
  float4* exchange;  ///< [piece of a round][chain][lane], from this lane's on.
  float4* received;  ///< [piece][lane] of what rank 0 sends, from this lane's on.
  uint64_t* sums_here;
  uint64_t* sums_taken;
  float sums[kPieces][4];

  __device__ Worker(const Matrix& weights, const Activations& columns, const Output& results,
                    const Plan& plan, char* memory, Barriers& barriers, int warp)
      : w(weights),
        x(columns),
        output(results),
        team(warp / kOwnChains),
        chain(warp % kOwnChains),
        exchange(reinterpret_cast<float4*>(memory + plan.exchange) + team * kOwnChains * kOwnChains * kWarp +
                 lane),
        received(reinterpret_cast<float4*>(memory + plan.received) + team * kPieces * kWarp + lane),
        sums_here(barriers.sums_here + warp),
        sums_taken(barriers.sums_taken + warp) {}

  __device__ void clear() {
#pragma unroll
    for (auto& piece : sums) {
#pragma unroll
      for (float& sum : piece) sum = 0;
    }
  }

  /// A tile of each row group, and the same tile of all columns.
  __device__ void multiply(const char* weights, const char* columns) {
    unsigned a[kTeamGroups][2][4];
#pragma unroll
    for (int r = 0; r < kTeamGroups; ++r) {
      Fragment<E> fragment;
#pragma unroll
      for (int i = 0; i < Fragment<E>::kPieces; ++i) {
        fragment.pieces[i] = *reinterpret_cast<const uint4*>(
            weights + r * kOwnChains * Fragment<E>::kTileBytes + (i * kWarp + lane) * 16);
      }
      weights_of(fragment, 0, a[r][0]);
      weights_of(fragment, 1, a[r][1]);
    }
#pragma unroll
    for (int i = 0; i < ColumnTiles; ++i) {
      // Lane (g, t) multiplies column g of each column tile, or one there is.
      const int column = min(i * kTileColumns + lane / 4, x.columns - 1);
      const uint4 v = *reinterpret_cast<const uint4*>(columns + column * kTileDepth * 2 + lane % 4 * 16);
#pragma unroll
      for (int r = 0; r < kTeamGroups; ++r) mma<E>(sums[r * ColumnTiles + i], a[r][0], v.x, v.y);
#pragma unroll
      for (int r = 0; r < kTeamGroups; ++r) mma<E>(sums[r * ColumnTiles + i], a[r][1], v.z, v.w);
    }
  }

  __device__ void sync_team() const {
    asm volatile("bar.sync %0, %1;" ::"r"(1 + team), "n"(kOwnChains * kWarp) : "memory");
  }

  /// Gives the team this chain's sums of a round's pieces; each of its warps adds the chains of one piece.
  __device__ void offer(int round) const {
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      if (piece / kOwnChains != round) continue;
      const float* v = sums[piece];
      exchange[(piece % kOwnChains * kOwnChains + chain) * kWarp] = make_float4(v[0], v[1], v[2], v[3]);
    }
  }
  static __device__ void add(float4& sum, float4 v) {
    sum.x += v.x;
    sum.y += v.y;
    sum.z += v.z;
    sum.w += v.w;
  }
  __device__ float4 offered(int from) const { return exchange[(chain * kOwnChains + from) * kWarp]; }

  /// Rank 0: the sums of its chains to rank 1.
  __device__ void send(int pass) const {
    const uint32_t there = address_in(1, received);
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      offer(round);
      sync_team();
      float4 sum = offered(0);
#pragma unroll
      for (int i = 1; i < kOwnChains; ++i) add(sum, offered(i));
      if (round == 0 && pass > 0) wait_remote(sums_taken, (pass - 1) % 2);
      store_remote(there + (round * kOwnChains + chain) * kPieceBytes, sum);
      sync_team();
    }
    if (lane == 0) arrive_remote(address_in(1, sums_here));
  }

  /// Row and column of sum i of a piece, of those from `first_group` on.
  __device__ int row_of_sum(int first_group, int piece, int i) const {
    return (first_group + piece / ColumnTiles) * kTileRows + lane / 4 + i / 2 * 8;
  }
  __device__ int column_of_sum(int piece, int i) const {
    return piece % ColumnTiles * kTileColumns + lane % 4 * 2 + i % 2;
  }

  /// Rank 1: adds its chains to what rank 0 sent, and writes the results of `groups` row groups.
  template <Output::Kind Kind>
  __device__ void finish(int pass, int first_group, int groups) const {
    constexpr bool activates = Kind == Output::Kind::Activate || Kind == Output::Kind::Gate;
    constexpr int unrolled = activates ? 1 : kRounds;
    constexpr int results = Kind == Output::Kind::Gate ? 2 : 4;  // Sums 2 and 3 are the rows 8 further on.
    Output known = output;
    known.kind = Kind;
    const auto writes = [&](int piece, int i) {
      return piece < kPieces && piece / ColumnTiles < groups && column_of_sum(piece, i) < x.columns &&
             row_of_sum(first_group, piece, i) < w.rows;
    };
    Terms next[results];
    const auto load_next = [&](int piece) {
#pragma unroll
      for (int i = 0; i < results; ++i) {
        if (writes(piece, i)) {
          next[i] = terms_of(w, known, row_of_sum(first_group, piece, i), column_of_sum(piece, i));
        }
      }
    };
    load_next(chain);
#pragma unroll(unrolled)
    for (int round = 0; round < kRounds; ++round) {
      const int piece = round * kOwnChains + chain;
      Terms terms[results];
#pragma unroll
      for (int i = 0; i < results; ++i) terms[i] = next[i];
      offer(round);
      sync_team();
      load_next(piece + kOwnChains);
      if (round == 0) wait_remote(sums_here, pass % 2);
      float4 sum = received[piece * kWarp];
#pragma unroll
      for (int i = 0; i < kOwnChains; ++i) add(sum, offered(i));
      const float values[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
      for (int i = 0; i < results; ++i) {
        if (writes(piece, i)) {
          write<E>(known, terms[i], values[i], values[(i + 2) % 4], row_of_sum(first_group, piece, i),
                   column_of_sum(piece, i));
        }
      }
      sync_team();
    }
  }
  __device__ void finish(int pass, int first_group, int groups) const {
    switch (output.kind) {
      case Output::Kind::Store:
        return finish<Output::Kind::Store>(pass, first_group, groups);
      case Output::Kind::Add:
        return finish<Output::Kind::Add>(pass, first_group, groups);
      case Output::Kind::Activate:
        return finish<Output::Kind::Activate>(pass, first_group, groups);
      case Output::Kind::Gate:
        return finish<Output::Kind::Gate>(pass, first_group, groups);
    }
  }
};

template <Element E, int ColumnTiles>
__global__ void __launch_bounds__(kMostThreads, 1)
    wide_kernel(Matrix w, Activations x, Output output, Plan plan) {
#if __CUDA_ARCH__ >= 900
  constexpr int kTileBytes = Fragment<E>::kTileBytes;
  extern __shared__ __align__(128) char memory[];
  __shared__ Barriers barriers;
  const int warp = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int workers = plan.teams * kOwnChains;
  const int rank = static_cast<int>(cluster_rank());
  const int tiles = w.depth / kTileDepth;
  const int steps = steps_of(w);
  const Passes passes(w.row_groups(), plan, static_cast<int>(blockIdx.x) / kRanks);
  let_next_start();

  if (warp == workers) {
    if (lane == 0) {
      for (int i = 0; i < plan.stages; ++i) {
        init_barrier(barriers.full + i, 1);
        init_barrier(barriers.empty + i, workers);
      }
      for (int i = 0; i < workers; ++i) {
        init_barrier(barriers.sums_here + i, 1);
        init_barrier(barriers.sums_taken + i, 1);
      }
      publish_barriers();
    }
    __syncwarp();
    Supply<E> supply(w, x, plan, passes, memory, barriers, rank);
    Supply<E> ahead = supply;
    const int early = min(plan.stages, supply.left);
    for (int i = 0; i < early; ++i, ahead.advance()) ahead.bring_weights();
    __syncwarp();
    arrive_at_cluster();
    __syncthreads();
    wait_for_previous();  // Weights are nobody's result; activations are.
    for (int i = 0; i < early; ++i, supply.advance()) supply.bring_columns();
    for (; supply.left > 0; supply.advance()) {
      wait(barriers.empty + supply.place.stage, supply.place.parity ^ 1);
      supply.bring_weights();
      supply.bring_columns();
    }
    __syncwarp();
    wait_for_cluster();
    return;
  }

  arrive_at_cluster();
  __syncthreads();
  wait_for_previous();
  Worker<E, ColumnTiles> worker(w, x, output, plan, memory, barriers, warp);
  const int weights_at = (worker.team * kTeamGroups * kOwnChains + worker.chain) * kTileBytes;
  const int columns_at = plan.groups * kOwnChains * kTileBytes + worker.chain * x.columns * kTileDepth * 2;
  RingPlace place;
  for (int pass = 0; pass < passes.count; ++pass) {
    worker.clear();
    for (int step = 0; step < steps; ++step) {
      wait(barriers.full + place.stage, place.parity);
      if (step * kChains + rank * kOwnChains + worker.chain < tiles) {
        const char* stage = memory + place.stage * plan.stage_bytes;
        worker.multiply(stage + weights_at, stage + columns_at);
      }
      __syncwarp();
      if (lane == 0) arrive(barriers.empty + place.stage);
      place.advance(plan.stages);
    }
    if (pass == 0) wait_for_cluster();
    if (rank == 0) {
      worker.send(pass);
    } else {
      const int first_group = passes.begin(pass) + worker.team * kTeamGroups;
      worker.finish(pass, first_group, passes.begin(pass + 1) - first_group);
      if (pass + 1 < passes.count && lane == 0) arrive_remote(address_in(0, barriers.sums_taken + warp));
    }
  }
#endif
}

template <Element E, int ColumnTiles>
int launch(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  const Plan plan = plan_of(w, x.columns);
  const auto kernel = wide_kernel<E, ColumnTiles>;
  const int status = allow_shared(kernel, plan.bytes);
  if (status != 0) return status;
  return Launch(plan.clusters * kRanks, (plan.teams * kOwnChains + 1) * kWarp, plan.bytes, overlap, stream,
                kRanks)(kernel, w, x, output, plan);
}

template <Element E>
int launch(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  switch (column_tiles(x.columns)) {
    case 2:
      return launch<E, 2>(w, x, output, overlap, stream);
    case 4:
      return launch<E, 4>(w, x, output, overlap, stream);
    default:
      return launch<E, 8>(w, x, output, overlap, stream);
  }
}

}  // namespace

bool wide_takes(const Matrix& w, int columns) {
  // Measured on an H100: smaller products, or int8 weights for 16 columns, are done sooner by more blocks.
  constexpr int64_t fewest_products = 1 << 28;
  const int fewest_columns = w.element == Element::Int8 ? 17 : kTileColumns + 1;
  return w.element != Element::F32 && limits().major >= 9 && columns >= fewest_columns &&
         static_cast<int64_t>(w.rows) * w.depth * columns >= fewest_products &&
         plan_of(w, columns).stages >= kFewestStages;
}

int multiply_wide(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  return w.element == Element::BF16 ? launch<Element::BF16>(w, x, output, overlap, stream)
                                    : launch<Element::Int8>(w, x, output, overlap, stream);
}

}  // namespace moshi::cuda
