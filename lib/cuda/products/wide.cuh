// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// How the kernel for 9 to 64 columns shares out a product, and how weights and activations come to where they
// are multiplied.
#pragma once

#include "cuda/bulk.cuh"
#include "cuda/products/fragments.cuh"

namespace moshi::cuda::wide {

/// Blocks of a cluster; rank 0 has the first half of the chains.
constexpr int kRanks = 2;
constexpr int kOwnChains = kChains / kRanks;
/// A team of warps, one for each of the block's chains, has some row groups.
constexpr int kTeamGroups = 2;
constexpr int kMostTeams = 3;
constexpr int kMostGroups = kMostTeams * kTeamGroups;
constexpr int kMostWarps = kMostTeams * kOwnChains;
constexpr int kMostThreads = (kMostWarps + 1) * kWarp;  // One warp more brings what the others multiply.
/// A stage is a tile of every chain.
constexpr int kMostStages = 16;
constexpr int kFewestStages = 3;
/// 16 rows x 8 columns of sums: 4 of a lane, as mma has them.
constexpr int kPieceBytes = kWarp * sizeof(float4);
/// Shared memory left to the norm between two products.
constexpr int kSpareShared = 19 * 1024;

/// How a product is shared out.
struct Plan {
  int clusters = 0;
  int groups = 0;  ///< Row groups of one pass of a cluster, at most.
  int teams = 0;
  int stages = 0;
  int stage_bytes = 0;
  int exchange = 0;  ///< Offsets in shared memory.
  int received = 0;
  int bytes = 0;
};

/// The cluster's row groups, shared out evenly to passes.
struct Passes {
  int first;
  int groups;
  int count;
  __device__ Passes(int row_groups, const Plan& plan, int cluster) {
    const auto bound = [&](int i) {
      return static_cast<int>(static_cast<int64_t>(row_groups) * i / plan.clusters);
    };
    first = bound(cluster);
    groups = bound(cluster + 1) - first;
    count = (groups + plan.groups - 1) / plan.groups;
  }
  __device__ int begin(int pass) const { return first + groups * pass / count; }
};

struct Barriers {
  uint64_t full[kMostStages];
  uint64_t empty[kMostStages];
  uint64_t sums_here[kMostWarps];   ///< Of rank 0, for each warp of rank 1.
  uint64_t sums_taken[kMostWarps];  ///< By rank 1.
};

/// Stages of one pass.
__device__ inline int steps_of(const Matrix& w) { return (w.depth / kTileDepth + kChains - 1) / kChains; }

/// Brings the block's weights and activations, a stage after the other: what one warp does.
template <Element E>
struct Supply {
  static constexpr int kTileBytes = Fragment<E>::kTileBytes;
  const Matrix& w;
  const Activations& x;
  const Plan& plan;
  const Passes& passes;
  char* ring;
  uint64_t* full;
  int rank;
  int lane = static_cast<int>(threadIdx.x) % kWarp;
  int left;   ///< Stages still to bring.
  int first;  ///< Row groups of the pass.
  int groups;
  int pass = 0;
  int step = 0;
  RingPlace place{};

  __device__ Supply(const Matrix& weights, const Activations& columns, const Plan& shares,
                    const Passes& own_passes, char* memory, Barriers& barriers, int own_rank)
      : w(weights),
        x(columns),
        plan(shares),
        passes(own_passes),
        ring(memory),
        full(barriers.full),
        rank(own_rank),
        left(passes.count * steps_of(w)),
        first(passes.first),
        groups(passes.begin(1) - passes.first) {}

  __device__ int tiles() const { return w.depth / kTileDepth; }
  __device__ int column_bytes() const { return x.columns * kTileDepth * 2; }
  __device__ int first_tile() const { return step * kChains + rank * kOwnChains; }
  __device__ int own_tiles() const { return max(0, min(kOwnChains, tiles() - first_tile())); }
  __device__ char* stage() const { return ring + place.stage * plan.stage_bytes; }
  __device__ void bring_weights() const {
    const int own = own_tiles();
    if (lane == 0) expect(full + place.stage, own * (groups * kTileBytes + column_bytes()));
    __syncwarp();
    if (lane >= groups || own == 0) return;
    const size_t tile = static_cast<size_t>(first + lane) * tiles() + first_tile();
    bulk_copy(stage() + lane * kOwnChains * kTileBytes, static_cast<const char*>(w.tiles) + tile * kTileBytes,
              own * kTileBytes, full + place.stage);
  }
  __device__ void bring_columns() const {
    const int own = own_tiles();
    if (lane > 0 || own == 0) return;
    bulk_copy(stage() + plan.groups * kOwnChains * kTileBytes,
              static_cast<const char*>(x.values) + static_cast<size_t>(first_tile()) * column_bytes(),
              own * column_bytes(), full + place.stage);
  }
  __device__ void advance() {
    --left;
    place.advance(plan.stages);
    if (++step < steps_of(w)) return;
    step = 0;
    ++pass;
    first += groups;
    groups = passes.begin(pass + 1) - first;
  }
};

}  // namespace moshi::cuda::wide
