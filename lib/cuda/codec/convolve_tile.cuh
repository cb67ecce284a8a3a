// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A tile of a product: how threads share its sums, and how chunks of both operands come to shared memory.
#pragma once

#include <algorithm>

#include "cuda/codec/convolve.cuh"

namespace moshi::cuda {

constexpr int kPitch = kChunk + 4;  // Of a row in shared memory: neighbours lie in other banks.
constexpr int kVector = 4;          // Rows of a thread that follow each other.
constexpr size_t kMostShared = 220 * 1024;
/// Products of a thread in a turn of the inner loop, whose code is to stay in the instruction cache.
constexpr int kTurnProducts = 512;

/// 16 bytes from global to shared memory; zeros where nothing is `there`.
__device__ inline void copy_piece(float* to, const float* from, bool there) {
#if __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int bytes = there ? 16 : 0;  // The rest is filled with zeros.
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes)
               : "memory");
#else
  *reinterpret_cast<float4*>(to) =
      there ? __ldcg(reinterpret_cast<const float4*>(from)) : make_float4(0, 0, 0, 0);
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
          int StageCount, int ResidentCount = 1>
struct Tile {
  static constexpr int kRows = RowCount;
  static constexpr int kColumns = ColumnCount;
  static constexpr int kThreadRows = ThreadRowCount;  // A multiple of kVector.
  static constexpr int kThreadColumns = ThreadColumnCount;
  static constexpr int kGroups = GroupCount;  // Of threads, each of which sums other chunks.
  static constexpr int kStages = StageCount;
  /// Blocks a multiprocessor is to hold, which bounds the registers of a thread.
  static constexpr int kLeastResident = ResidentCount;
  /// Steps of depth, in fours, of a turn of the inner loop.
  static constexpr int kUnroll =
      std::clamp(kTurnProducts / (kVector * kThreadRows * kThreadColumns), 1, kChunk / 4);
  static constexpr int kAcross = kRows / kThreadRows;  // Threads of a group along the rows.
  static constexpr int kDown = kColumns / kThreadColumns;
  static constexpr int kGroupThreads = kAcross * kDown;
  static constexpr int kThreads = kGroups * kGroupThreads;
  static constexpr int kLaneAcross = kAcross < 8 ? kAcross : 8;  // Those of a warp.
  static constexpr int kLaneDown = kWarp / kLaneAcross;
  static_assert(kAcross % kLaneAcross == 0 && kDown % kLaneDown == 0);
  // A thread's i-th rows lie together, those of different i two pitches apart from whole banks.
  static constexpr int kPlane = (kAcross + 2) * kPitch;
  static constexpr int kFilterPart = kThreadRows * kPlane;
  static constexpr int kGroupPart = kFilterPart + kColumns * kPitch;
  static constexpr int kStage = kGroups * kGroupPart;
  static constexpr int kParts = kGroups > 1 ? kGroups* kRows* kColumns : 0;
  /// Places for the groups' sums, which rounds use in turns.
  static constexpr int kTurns = sizeof(float) * (kStages * kStage + 2 * kParts) <= kMostShared ? 2 : 1;
  static constexpr size_t kShared = sizeof(float) * (kStages * kStage + kTurns * kParts);

  /// A thread's place in its group. Lanes that differ in their lowest bit have the same rows, in the next bit
  /// the same columns: so shared memory serves 16 lanes at a time.
  static __device__ int across() {
    const int warp = threadIdx.x % kGroupThreads / kWarp;
    return threadIdx.x / 2 % kLaneAcross + warp % (kAcross / kLaneAcross) * kLaneAcross;
  }
  static __device__ int down() {
    const int warp = threadIdx.x % kGroupThreads / kWarp;
    return threadIdx.x % 2 + threadIdx.x % kWarp / 2 / kLaneAcross * 2 +
           warp / (kAcross / kLaneAcross) * kLaneDown;
  }
  /// Where a row of the tile lies in a group's part.
  static __device__ unsigned row_place(unsigned row) {
    const unsigned plane = row / (kVector * kAcross) * kVector + row % kVector;
    return plane * kPlane + row / kVector % kAcross * kPitch;
  }
  /// Adds the products of four steps of depth: `w` and `v` are the thread's first row and column of them.
  static __device__ void multiply(const float* w, const float* v,
                                  float (&sums)[kThreadColumns][kThreadRows]) {
    float4 a[kThreadRows];
    float4 b[kThreadColumns];
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i) a[i] = *reinterpret_cast<const float4*>(w + i * kPlane);
#pragma unroll
    for (int j = 0; j < kThreadColumns; ++j) b[j] = *reinterpret_cast<const float4*>(v + j * kDown * kPitch);
#pragma unroll
    for (int j = 0; j < kThreadColumns; ++j) {
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i) add_products(a[i], b[j], sums[j][i]);
    }
  }
};

/// How a block's threads share the pieces of [groups][Lines], of `Size` pieces each: a thread has the same
/// piece of every line it has, and what differs between its j-th lines is known beforehand.
template <int Threads, int Groups, int Lines, int Size>
struct Share {
  static constexpr int kStep = Threads / Size;  // Lines at a time.
  static_assert(Threads % Size == 0 && (kStep % Lines == 0 || Lines % kStep == 0));
  static constexpr int kPerGroup = Lines > kStep ? Lines / kStep : 1;
  static constexpr int kGroupStep = kStep > Lines ? kStep / Lines : 1;
  static constexpr int kCount = Groups * Lines > kStep ? Groups* Lines / kStep : 1;  // Of a thread.
  static __device__ bool takes_part() {
    return Groups * Lines >= kStep || threadIdx.x / Size < Groups * Lines;
  }
  static __device__ int piece() { return threadIdx.x % Size; }
  static __device__ int line() { return threadIdx.x / Size % Lines; }
  static __device__ int group() { return threadIdx.x / Size / Lines; }
  static __device__ constexpr int more_lines(int j) { return j % kPerGroup * kStep; }
  static __device__ constexpr int more_groups(int j) { return j / kPerGroup * kGroupStep; }
};

/// A thread's copies of the filter.
template <typename T>
struct FilterCopies {
  using Own = Share<T::kThreads, T::kGroups, T::kRows / kRowGroup, kRowGroup * kChunkPieces>;
  const float* from;  // Of chunk 0.
  int stride;         // Between row groups.
  int row_groups;     // From this one on.
  int chunks;         // The same.
  unsigned to[Own::kCount];

  __device__ explicit FilterCopies(const Filter& filter) {
    const int first = blockIdx.x * (T::kRows / kRowGroup) + Own::line();
    stride = filter.chunks() * kRowGroup * kChunk;
    from = filter.values + static_cast<size_t>(first) * stride + Own::group() * kRowGroup * kChunk +
           Own::piece() * 4;  // [piece][row]
    row_groups = filter.row_groups() - first;
    chunks = filter.chunks() - Own::group();
#pragma unroll
    for (int j = 0; j < Own::kCount; ++j) {
      const unsigned row = (Own::line() + Own::more_lines(j)) * kRowGroup + Own::piece() % kRowGroup;
      to[j] = (Own::group() + Own::more_groups(j)) * T::kGroupPart + T::row_place(row) +
              Own::piece() / kRowGroup * 4;
    }
  }
  /// Those of chunks [first, first + kGroups).
  __device__ void start(int first, float* stage) const {
    if (!Own::takes_part()) return;
    const float* chunk = from + first * (kRowGroup * kChunk);
#pragma unroll
    for (int j = 0; j < Own::kCount; ++j) {
      const bool there =
          Own::more_lines(j) < row_groups && (T::kGroups == 1 || first + Own::more_groups(j) < chunks);
      copy_piece(stage + to[j],
                 chunk + Own::more_lines(j) * stride + Own::more_groups(j) * (kRowGroup * kChunk), there);
    }
  }
};

/// A thread's copies of the windows.
template <typename T, bool Simple>
struct WindowCopies {
  using Own = Share<T::kThreads, T::kGroups, T::kColumns, kChunkPieces>;
  const Windows& x;
  const Place* places;
  const float* fresh[Own::kPerGroup];  // Of the thread's columns.
  bool ordered;                        // Their values lie in order, before the frame and in it.
  bool plain;                          // Besides, nothing before the frame is in the thread's columns.

  __device__ WindowCopies(const Windows& windows, const Place* all) : x(windows), places(all + Own::line()) {
    ordered = reading_of(x) == Reading::Ordered && x.kernel * x.channels % (kChunk * T::kGroups) == 0;
    plain = ordered;
#pragma unroll
    for (int j = 0; j < Own::kPerGroup; ++j) {
      const Place& place = places[Own::more_lines(j)];
      plain = plain && place.fresh != nullptr && place.split <= 0;
      fresh[j] = place.fresh + Own::group() * kChunk + Own::piece() * 4;
    }
  }
  __device__ void start(int first, float* stage) const {
    if (!Own::takes_part()) return;
    float* to =
        stage + Own::group() * T::kGroupPart + T::kFilterPart + Own::line() * kPitch + Own::piece() * 4;
    const int k = (first + Own::group()) * kChunk + Own::piece() * 4;
#pragma unroll
    for (int j = 0; j < Own::kCount; ++j) {
      float* place = to + Own::more_groups(j) * T::kGroupPart + Own::more_lines(j) * kPitch;
      const int more = Own::more_groups(j) * kChunk;
      if (plain) {
        copy_piece(place, fresh[j % Own::kPerGroup] + first * kChunk + more, true);
      } else if (ordered) {
        const float* from = ordered_value(places[Own::more_lines(j)], x.kernel * x.channels, k + more);
        copy_piece(place, from, from != nullptr);
      } else if constexpr (Simple) {
        const float* from = window_value(x, places[Own::more_lines(j)], k + more);
        copy_piece(place, from, from != nullptr);
      } else {
        *reinterpret_cast<float4*>(place) =
            load_piece<Reading::Any>(x, places[Own::more_lines(j)], x.kernel * x.channels, k + more);
      }
    }
  }
};

}  // namespace moshi::cuda
