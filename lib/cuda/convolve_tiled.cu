// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products of many columns: a block has a tile of rows and columns, and one or several groups of threads,
// each of which sums other chunks of depth. Chunks of both operands come through shared memory, ahead of
// their use.
#include <algorithm>
#include <cmath>

#include "cuda/convolve.cuh"

namespace moshi::cuda {
namespace {

constexpr int kPitch = kChunk + 4;  // Of a row in shared memory: neighbours lie in other banks.
constexpr int kVector = 4;          // Rows of a thread that follow each other.

/// 16 bytes from global to shared memory; zeros where `from` is null.
__device__ inline void copy_piece(float* to, const float* from) {
#if __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int bytes = from != nullptr ? 16 : 0;  // The rest is filled with zeros.
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes)
               : "memory");
#else
  *reinterpret_cast<float4*>(to) =
      from != nullptr ? __ldcg(reinterpret_cast<const float4*>(from)) : make_float4(0, 0, 0, 0);
#endif
}

__device__ inline void end_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int Left>
__device__ inline void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
#endif
}

/// A block's tile of rows and columns, of which a thread has some of each, and how depth is shared.
template <int RowCount, int ColumnCount, int ThreadRowCount, int ThreadColumnCount, int GroupCount,
          int StageCount>
struct Tile {
  static constexpr int kRows = RowCount;
  static constexpr int kColumns = ColumnCount;
  static constexpr int kThreadRows = ThreadRowCount;  // A multiple of kVector.
  static constexpr int kThreadColumns = ThreadColumnCount;
  static constexpr int kGroups = GroupCount;  // Of threads, each of which sums other chunks.
  static constexpr int kStages = StageCount;
  static constexpr int kAcross = kRows / kThreadRows;  // Threads of a group along the rows.
  static constexpr int kDown = kColumns / kThreadColumns;
  static constexpr int kGroupThreads = kAcross * kDown;
  static constexpr int kThreads = kGroups * kGroupThreads;
  /// Blocks a multiprocessor is to hold, which bounds the registers of a thread.
  static constexpr int kLeastResident = kGroups == 1 && kThreads <= 512 ? 512 / kThreads : 1;
  // A thread's i-th rows lie together, those of different i two pitches apart from whole banks.
  static constexpr int kPlane = (kAcross + 2) * kPitch;
  static constexpr int kFilterPart = kThreadRows * kPlane;
  static constexpr int kGroupPart = kFilterPart + kColumns * kPitch;
  static constexpr int kStage = kGroups * kGroupPart;
  static constexpr int kParts = kGroups > 1 ? kGroups* kRows* kColumns : 0;
  static constexpr size_t kShared = sizeof(float) * (kStages * kStage + kParts);

  /// Where a row of the tile lies in a group's part.
  static __device__ unsigned row_place(unsigned row) {
    const unsigned plane = row / (kVector * kAcross) * kVector + row % kVector;
    return plane * kPlane + row / kVector % kAcross * kPitch;
  }
  /// The filter's part of chunks [first, first + kGroups).
  static __device__ void load_filter(const Filter& filter, unsigned first, float* stage) {
    constexpr unsigned pieces = kRows * kChunkPieces;
    const unsigned first_group = blockIdx.x * (kRows / kRowGroup);
#pragma unroll
    for (unsigned base = 0; base < kGroups * pieces; base += kThreads) {
      const unsigned p = base + threadIdx.x;
      if (kGroups * pieces % kThreads != 0 && p >= kGroups * pieces) break;
      const unsigned in_group = p % (kRowGroup * kChunkPieces);  // [piece][row], as in the filter.
      const unsigned row_group = first_group + p % pieces / (kRowGroup * kChunkPieces);
      const unsigned chunk = first + p / pieces;
      const bool inside = row_group < filter.row_groups() && chunk < filter.chunks();
      const size_t at = static_cast<size_t>(row_group * filter.chunks() + chunk) * (kRowGroup * kChunkPieces);
      const unsigned row = p % pieces / (kRowGroup * kChunkPieces) * kRowGroup + in_group % kRowGroup;
      copy_piece(stage + p / pieces * kGroupPart + row_place(row) + in_group / kRowGroup * 4,
                 inside ? filter.values + (at + in_group) * 4 : nullptr);
    }
  }
  /// The windows' part.
  template <bool Simple>
  static __device__ void load_windows(const Windows& x, const Place* places, int depth, unsigned first,
                                      float* stage) {
    constexpr unsigned pieces = kColumns * kChunkPieces;
#pragma unroll
    for (unsigned base = 0; base < kGroups * pieces; base += kThreads) {
      const unsigned p = base + threadIdx.x;
      if (kGroups * pieces % kThreads != 0 && p >= kGroups * pieces) break;
      const unsigned column = p % pieces / kChunkPieces;
      const int k = static_cast<int>((first + p / pieces) * kChunk + p % kChunkPieces * 4);
      float* to = stage + p / pieces * kGroupPart + kFilterPart + column * kPitch + p % kChunkPieces * 4;
      if constexpr (Simple) {
        copy_piece(to, simple_value(places[column], depth, k));
      } else {
        *reinterpret_cast<float4*>(to) = load_piece<false>(x, places[column], depth, k);
      }
    }
  }
  /// Adds a chunk's products: `w` and `v` are the thread's first row and column of it.
  static __device__ void multiply(const float* w, const float* v,
                                  float (&sums)[kThreadColumns][kThreadRows]) {
#pragma unroll
    for (int k = 0; k < kChunk; k += 4) {
      float4 a[kThreadRows];
      float4 b[kThreadColumns];
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i) a[i] = *reinterpret_cast<const float4*>(w + i * kPlane + k);
#pragma unroll
      for (int j = 0; j < kThreadColumns; ++j)
        b[j] = *reinterpret_cast<const float4*>(v + j * kDown * kPitch + k);
#pragma unroll
      for (int j = 0; j < kThreadColumns; ++j) {
#pragma unroll
        for (int i = 0; i < kThreadRows; ++i) add_products(a[i], b[j], sums[j][i]);
      }
    }
  }
};

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
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    if (i >= at.rows) break;
    emit(filter, results, besides<float>(filter, results, at.row + i, at.column), at.row + i, at.column,
         (&y.x)[i]);
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
#pragma unroll
  for (int s = 0; s < T::kStages - 1; ++s) T::load_filter(filter, s * T::kGroups, shared + s * T::kStage);
  for (int c = threadIdx.x; c < T::kColumns; c += T::kThreads) {
    places[c] = place_of(x, streams, blockIdx.y * T::kColumns + c);
  }
  __syncthreads();
  wait_for_previous();
#pragma unroll
  for (int s = 0; s < T::kStages - 1; ++s) {
    T::template load_windows<Simple>(x, places, filter.depth, s * T::kGroups, shared + s * T::kStage);
    end_copies();
  }
  remember(x, streams, blockIdx.y * gridDim.x + blockIdx.x, gridDim.x * gridDim.y);

  const int group = threadIdx.x / T::kGroupThreads;
  const int across = threadIdx.x % T::kAcross;
  const int down = threadIdx.x % T::kGroupThreads / T::kAcross;
  constexpr int kVectors = T::kRows * T::kColumns / kVector;  // Of sums, each of one column.
  constexpr int kOwned = (kVectors + T::kThreads - 1) / T::kThreads;
  float4* parts = shared4 + T::kStages * T::kStage / 4;  // [group][column][row / 4]
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
  Besides<float4> ahead[kOwned];
  if constexpr (T::kGroups > 1) {
#pragma unroll
    for (int o = 0; o < kOwned; ++o) ahead[o] = read_ahead(filter, results, owned_vector(o));
  }
  int stage = 0;
  for (int first = 0; first < chunks; first += T::kGroups) {
    wait_for_copies<T::kStages - 2>();
    __syncthreads();
    const int ahead = first + (T::kStages - 1) * T::kGroups;
    if (ahead < chunks) {
      float* to = shared + (stage + T::kStages - 1) % T::kStages * T::kStage;
      T::load_filter(filter, ahead, to);
      T::template load_windows<Simple>(x, places, filter.depth, ahead, to);
    }
    end_copies();
    const float* mine = shared + stage * T::kStage + group * T::kGroupPart;
    float sums[T::kThreadColumns][T::kThreadRows] = {};
    T::multiply(mine + across * kPitch, mine + T::kFilterPart + down * kPitch, sums);
    if constexpr (T::kGroups == 1) {
#pragma unroll
      for (int j = 0; j < T::kThreadColumns; ++j) {
#pragma unroll
        for (int i = 0; i < T::kThreadRows; ++i) totals[j][i] += sums[j][i];
      }
    } else {
#pragma unroll
      for (int j = 0; j < T::kThreadColumns; ++j) {
#pragma unroll
        for (int i = 0; i < T::kThreadRows; i += kVector) {
          parts[(group * T::kColumns + down + j * T::kDown) * (T::kRows / kVector) + across +
                i / kVector * T::kAcross] =
              make_float4(sums[j][i], sums[j][i + 1], sums[j][i + 2], sums[j][i + 3]);
        }
      }
      __syncthreads();
      const int count = min(T::kGroups, chunks - first);
#pragma unroll
      for (int o = 0; o < kOwned; ++o) {
        const int at = threadIdx.x + o * T::kThreads;
        if (kVectors % T::kThreads != 0 && at >= kVectors) break;
        if (count == T::kGroups) {
#pragma unroll
          for (int g = 0; g < T::kGroups; ++g) add(owned[o], parts[g * kVectors + at]);
        } else {
#pragma unroll 1
          for (int g = 0; g < count; ++g) add(owned[o], parts[g * kVectors + at]);
        }
      }
    }
    stage = (stage + 1) % T::kStages;
  }
  wait_for_copies<0>();

  if constexpr (T::kGroups == 1) {
#pragma unroll
    for (int j = 0; j < T::kThreadColumns; ++j) {
#pragma unroll
      for (int i = 0; i < T::kThreadRows; i += kVector) {
        const Vector vector = vector_of((across + i / kVector * T::kAcross) * kVector, down + j * T::kDown);
        send(filter, results, vector, read_ahead(filter, results, vector),
             make_float4(totals[j][i], totals[j][i + 1], totals[j][i + 2], totals[j][i + 3]));
      }
    }
  } else {
#pragma unroll
    for (int o = 0; o < kOwned; ++o) {
      const Vector vector = owned_vector(o);
      send(filter, results, vector, ahead[o], owned[o]);
    }
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

template <typename T, bool Simple>
struct TileKernel {
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
  /// Rough cycles of a product; the constants were fitted on an H100.
  static double cycles(const Call& call, int processors) {
    constexpr double kBlock = 4000;   // To begin and end a block.
    constexpr double kLatency = 900;  // Of a round of copies and sums.
    constexpr double kIssue =
        T::kThreads / 32 * (kChunk * T::kThreadRows * T::kThreadColumns * 1.3 + 150) / 4;
    if (resident() == 0) return INFINITY;
    const int blocks = divided_up(call.filter->rows, T::kRows) * divided_up(call.columns(), T::kColumns);
    const int together = std::min(resident(), divided_up(blocks, processors));
    const int waves = divided_up(blocks, processors * together);
    const int rounds = divided_up(call.filter->chunks(), T::kGroups);
    return waves * (rounds * std::max(together * kIssue, kLatency) + kBlock);
  }
  static int launch(const Call& call) {
    const dim3 grid(divided_up(call.filter->rows, T::kRows), divided_up(call.columns(), T::kColumns));
    return Launch(grid, T::kThreads, T::kShared, call.overlap, call.stream)(
        kKernel, *call.filter, *call.windows, *call.streams, *call.results);
  }
};

/// Launches the tile that should be fastest.
template <bool Simple, typename... Tiles>
int launch_best(const Call& call) {
  static const int processors = [] {
    int device = 0;
    int count = 1;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
    return count;
  }();
  double least = INFINITY;
  int (*best)(const Call&) = nullptr;
  const auto consider = [&](double cycles, int (*launch)(const Call&)) {
    if (cycles < least) {
      least = cycles;
      best = launch;
    }
  };
  (consider(TileKernel<Tiles, Simple>::cycles(call, processors), TileKernel<Tiles, Simple>::launch), ...);
  return best != nullptr ? best(call) : cudaErrorInvalidConfiguration;
}

}  // namespace

int convolve_tiled(const Filter& filter, const Windows& windows, const Streams& streams,
                   const Results& results, bool overlap, void* stream) {
  const Call call{&filter, &windows, &streams, &results, overlap, stream};
  if (!are_simple(windows))
    return launch_best<false, Tile<16, 16, 4, 2, 1, 3>, Tile<64, 64, 8, 4, 1, 2>>(call);
  return launch_best<true, Tile<8, 16, 4, 1, 16, 3>, Tile<16, 16, 4, 2, 8, 3>, Tile<32, 32, 4, 4, 2, 3>,
                     Tile<32, 32, 8, 4, 8, 2>, Tile<64, 64, 8, 4, 1, 2>, Tile<32, 128, 8, 4, 1, 2>,
                     Tile<128, 64, 8, 4, 1, 3>, Tile<8, 256, 8, 4, 1, 2>>(call);
}

}  // namespace moshi::cuda
