// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products of many columns: a block has a tile of rows and columns, and one or several groups of threads,
// each of which sums other chunks of depth. Chunks of both operands come through shared memory, ahead of
// their use.
#include <algorithm>
#include <cmath>

#include "cuda/codec/convolve_tile.cuh"

namespace moshi::cuda {
namespace {

__device__ inline void add(float4& sum, const float4& more) {
  sum.x += more.x, sum.y += more.y, sum.z += more.z, sum.w += more.w;
}

/// Four rows of a column, of which `rows` are there.
struct Vector {
  int row = 0;
  int column = 0;
  int rows = 0;
};

/// Where rows come in fours; else `send` reads what it needs.
__device__ inline Besides<float4> read_ahead(const Filter& filter, const Results& results, const Vector& at) {
  if (at.rows <= 0 || filter.rows % kVector != 0) return {};
  return besides<float4>(filter, results, at.row, at.column);
}

__device__ inline void send(const Filter& filter, const Results& results, const Vector& at,
                            const Besides<float4>& ahead, float4 y) {
  if (filter.rows % kVector == 0) {
    if (at.rows > 0) emit(filter, results, ahead, at.row, at.column, y);
    return;
  }
#pragma unroll 1  // Rare, and long.
  for (int i = 0; i < min(kVector, at.rows); ++i) {
    emit(filter, results, besides<float>(filter, results, at.row + i, at.column), at.row + i, at.column,
         i == 0   ? y.x
         : i == 1 ? y.y
         : i == 2 ? y.z
                  : y.w);
  }
}

template <typename T, bool Simple>
__global__ void __launch_bounds__(T::kThreads, T::kLeastResident)
    tiled_kernel(Filter filter, Windows x, Streams streams, Results results) {
  extern __shared__ float4 shared4[];
  __shared__ Place places[T::kColumns];
  auto* shared = reinterpret_cast<float*>(shared4);
  const int chunks = filter.chunks();
  let_next_start();
  const FilterCopies<T> filter_copies(filter);
#pragma unroll
  for (int s = 0; s < T::kStages - 1; ++s) {
    if (s * T::kGroups < chunks) filter_copies.start(s * T::kGroups, shared + s * T::kStage);
  }
  for (int c = threadIdx.x; c < T::kColumns; c += T::kThreads) {
    places[c] = place_of(x, streams, blockIdx.y * T::kColumns + c);
  }
  __syncthreads();
  const WindowCopies<T, Simple> window_copies(x, places);
  wait_for_previous();
#pragma unroll
  for (int s = 0; s < T::kStages - 1; ++s) {
    if (s * T::kGroups < chunks) window_copies.start(s * T::kGroups, shared + s * T::kStage);
    end_copies();
  }
  remember(x, streams, blockIdx.y * gridDim.x + blockIdx.x, gridDim.x * gridDim.y);

  const int group = threadIdx.x / T::kGroupThreads;
  const int across = T::across();
  const int down = T::down();
  constexpr int kVectors = T::kRows * T::kColumns / kVector;  // Of sums, each of one column.
  constexpr int kOwned = T::kGroups == 1 ? 1 : (kVectors + T::kThreads - 1) / T::kThreads;
  float4* parts = shared4 + T::kStages * T::kStage / 4;  // [2][group][column][row / 4]
  float totals[T::kThreadColumns][T::kThreadRows] = {};  // Of one group; of several: `owned`.
  float4 owned[kOwned] = {};
  const int columns = streams.count * x.columns();
  const auto vector_of = [&](int row, int column) {
    const Vector vector{static_cast<int>(blockIdx.x) * T::kRows + row,
                        static_cast<int>(blockIdx.y) * T::kColumns + column, 0};
    return Vector{vector.row, vector.column, vector.column < columns ? filter.rows - vector.row : 0};
  };
  const auto owned_vector = [&](int o) {
    const int at = threadIdx.x + o * T::kThreads;
    return at < kVectors ? vector_of(at % (T::kRows / kVector) * kVector, at / (T::kRows / kVector))
                         : Vector{};
  };
  const auto keep = [&](float4* to, const float(&sums)[T::kThreadColumns][T::kThreadRows]) {
#pragma unroll
    for (int j = 0; j < T::kThreadColumns; ++j) {
#pragma unroll
      for (int i = 0; i < T::kThreadRows; i += kVector) {
        to[(down + j * T::kDown) * (T::kRows / kVector) + across + i / kVector * T::kAcross] =
            make_float4(sums[j][i], sums[j][i + 1], sums[j][i + 2], sums[j][i + 3]);
      }
    }
  };
  /// Adds the sums that the groups left in round `round`, of `count` chunks.
  const auto add_parts = [&](int round, int count) {
    const float4* from = parts + round % T::kTurns * (T::kParts / 4);
#pragma unroll
    for (int o = 0; o < kOwned; ++o) {
      const int at = threadIdx.x + o * T::kThreads;
      if (kVectors % T::kThreads != 0 && at >= kVectors) break;
      if (count == T::kGroups) {
#pragma unroll
        for (int g = 0; g < T::kGroups; ++g) add(owned[o], from[g * kVectors + at]);
      } else {
#pragma unroll 1
        for (int g = 0; g < count; ++g) add(owned[o], from[g * kVectors + at]);
      }
    }
  };
  Besides<float4> ahead[kOwned];
  if constexpr (T::kGroups > 1) {
#pragma unroll
    for (int o = 0; o < kOwned; ++o) ahead[o] = read_ahead(filter, results, owned_vector(o));
  }
  int stage = 0;
  int round = 0;
  for (int first = 0; first < chunks; first += T::kGroups, ++round) {
    wait_for_copies<T::kStages - 2>();
    __syncthreads();
    const int next = first + (T::kStages - 1) * T::kGroups;
    if (next < chunks) {
      float* to = shared + (stage + T::kStages - 1) % T::kStages * T::kStage;
      filter_copies.start(next, to);
      window_copies.start(next, to);
    }
    end_copies();
    if constexpr (T::kTurns > 1 && T::kGroups > 1) {
      if (round > 0) add_parts(round - 1, T::kGroups);
    }
    const float* mine = shared + stage * T::kStage + group * T::kGroupPart;
    const float* w = mine + across * kPitch;
    const float* v = mine + T::kFilterPart + down * kPitch;
    float sums[T::kThreadColumns][T::kThreadRows] = {};
    if constexpr (Simple) {
#pragma unroll T::kUnroll
      for (int k = 0; k < kChunk; k += 4) T::multiply(w + k, v + k, sums);
    } else {  // Zeros, which short windows have many of, add nothing.
      const int end = min(kChunk, filter.depth - (first + group) * kChunk);
#pragma unroll 1
      for (int k = 0; k < end; k += 4) T::multiply(w + k, v + k, sums);
    }
    if constexpr (T::kGroups == 1) {
#pragma unroll
      for (int j = 0; j < T::kThreadColumns; ++j) {
#pragma unroll
        for (int i = 0; i < T::kThreadRows; ++i) totals[j][i] += sums[j][i];
      }
    } else {
      keep(parts + round % T::kTurns * (T::kParts / 4) + group * kVectors, sums);
      if constexpr (T::kTurns == 1) {
        __syncthreads();
        add_parts(round, min(T::kGroups, chunks - first));
      }
    }
    stage = (stage + 1) % T::kStages;
  }
  wait_for_copies<0>();

  if constexpr (T::kGroups == 1) {
    // Through shared memory: a short loop instead of long code.
    constexpr int kEach = kVectors / T::kThreads;
    constexpr int kAtOnce = kEach < 4 ? kEach : 4;
    __syncthreads();
    keep(shared4, totals);
    __syncthreads();
#pragma unroll 1
    for (int first = 0; first < kEach; first += kAtOnce) {
      Besides<float4> besides[kAtOnce];  // All on their way before the first is sent.
#pragma unroll
      for (int o = 0; o < kAtOnce; ++o) besides[o] = read_ahead(filter, results, owned_vector(first + o));
#pragma unroll
      for (int o = 0; o < kAtOnce; ++o) {
        send(filter, results, owned_vector(first + o), besides[o],
             shared4[threadIdx.x + (first + o) * T::kThreads]);
      }
    }
  } else {
    if constexpr (T::kTurns > 1) {
      __syncthreads();
      add_parts(round - 1, chunks - (round - 1) * T::kGroups);
    }
#pragma unroll
    for (int o = 0; o < kOwned; ++o) send(filter, results, owned_vector(o), ahead[o], owned[o]);
  }
}

// ------------------------------------------------------------------------------------ choosing a tile

/// A product as a tile's kernel sees it.
struct Call {
  const Filter* filter;
  const Windows* windows;
  const Streams* streams;
  const Results* results;
  bool overlap;
  void* stream;
  [[nodiscard]] int columns() const { return streams->count * windows->columns(); }
};

constexpr int divided_up(int a, int b) { return (a + b - 1) / b; }

/// A tile and what it takes in cycles of a multiprocessor, fitted to measurements on an H200: a round of sums
/// of one block, by itself and beside others; a wave of blocks and each block besides its rounds.
template <typename TileType, int AloneCycles, int RoundCycles, int WaveCycles, int BlockCycles>
struct Option {
  using T = TileType;
  static constexpr double kAlone = AloneCycles;
  static constexpr double kRound = RoundCycles;
  static constexpr double kWave = WaveCycles;
  static constexpr double kBlock = BlockCycles;
};

template <typename Choice, bool Simple>
struct TileKernel {
  using T = typename Choice::T;
  static constexpr auto kKernel = tiled_kernel<T, Simple>;

  /// Blocks that fit a multiprocessor at a time; 0 where the tile is too large for the device.
  static int resident() {
    static const int blocks = [] {
      int count = 0;
      cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, T::kShared);
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&count, kKernel, T::kThreads, T::kShared);
      cudaGetLastError();
      return count;
    }();
    return blocks;
  }
  /// Rough cycles of a product.
  static double cycles(const Call& call) {
    if (resident() == 0) return INFINITY;
    const int blocks = divided_up(call.filter->rows, T::kRows) * divided_up(call.columns(), T::kColumns);
    const int most = divided_up(blocks, limits().multiprocessors);  // Of one multiprocessor.
    const int waves = divided_up(most, resident());
    const int rounds = divided_up(call.filter->chunks(), T::kGroups);
    return rounds * std::max(most * Choice::kRound, waves * Choice::kAlone) + waves * Choice::kWave +
           most * Choice::kBlock;
  }
  static int launch(const Call& call) {
    const dim3 grid(divided_up(call.filter->rows, T::kRows), divided_up(call.columns(), T::kColumns));
    return Launch(grid, T::kThreads, T::kShared, call.overlap, call.stream)(
        kKernel, *call.filter, *call.windows, *call.streams, *call.results);
  }
};

/// Launches the tile that should be fastest.
template <bool Simple, typename... Choices>
int launch_best(const Call& call) {
  double least = INFINITY;
  int (*best)(const Call&) = nullptr;
  const auto consider = [&](double cycles, int (*launch)(const Call&)) {
    if (cycles < least) {
      least = cycles;
      best = launch;
    }
  };
  (consider(TileKernel<Choices, Simple>::cycles(call), TileKernel<Choices, Simple>::launch), ...);
  return best != nullptr ? best(call) : cudaErrorInvalidConfiguration;
}

}  // namespace

int convolve_tiled(const Filter& filter, const Windows& windows, const Streams& streams,
                   const Results& results, bool overlap, void* stream) {
  const Call call{&filter, &windows, &streams, &results, overlap, stream};
  if (reading_of(windows) == Reading::Any) {
    return launch_best<false, Option<Tile<16, 16, 4, 2, 2, 3>, 1500, 600, 3000, 900>,
                       Option<Tile<64, 64, 4, 4, 1, 2, 2>, 3000, 2000, 3500, 4000>,
                       Option<Tile<64, 128, 8, 4, 1, 2, 2>, 5000, 4000, 10000, 2500>>(call);
  }
  return launch_best<true, Option<Tile<8, 16, 4, 1, 16, 3>, 1230, 3680, 1460, 800>,
                     Option<Tile<16, 16, 4, 2, 8, 3>, 1520, 2710, 1150, 890>,
                     Option<Tile<16, 32, 4, 4, 8, 2>, 1780, 3880, 880, 1330>,
                     Option<Tile<32, 32, 4, 4, 8, 2>, 680, 6220, 750, 1300>,
                     Option<Tile<8, 64, 4, 4, 8, 2>, 5250, 3000, 2700, 1240>,
                     Option<Tile<32, 64, 8, 4, 2, 2, 2>, 3740, 2770, 4710, 270>,
                     Option<Tile<32, 64, 8, 4, 4, 2>, 5570, 380, 1810, 1520>,
                     Option<Tile<64, 64, 8, 4, 2, 3>, 4760, 4230, 5410, 50>,
                     Option<Tile<64, 96, 8, 3, 1, 3>, 3110, 1600, 7410, 200>,
                     Option<Tile<32, 128, 8, 4, 1, 2, 3>, 3140, 2300, 9830, 0>,
                     Option<Tile<64, 128, 8, 4, 1, 3>, 250, 3730, 7480, 1780>,
                     Option<Tile<128, 96, 8, 6, 1, 3>, 5350, 2880, 11490, 60>,
                     Option<Tile<128, 128, 8, 8, 1, 3>, 320, 6820, 15900, 140>>(call);
}

}  // namespace moshi::cuda
