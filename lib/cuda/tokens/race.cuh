// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Top-k sampling as a race: the token with the largest probability / draw of the k most probable wins.
#pragma once

#include "cuda/device.cuh"

namespace moshi::cuda {

/// Unsigned integers in the order of floats.
__device__ inline unsigned ordered(float value) {
  const unsigned bits = __float_as_uint(value);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

struct Best {
  float score;
  int token;
  unsigned order;  ///< Of the token's logit.
};

/// The higher score, then the smaller token.
__device__ inline Best better(Best a, Best b) {
  return b.score > a.score || (b.score == a.score && b.token < a.token) ? b : a;
}

/// What the threads of a race share.
template <int Warps>
struct RaceRoom {
  Best best[2][Warps];
  int counts[2][Warps];
};

/// Reductions over Warps warps that `sync` lets wait for each other; each call takes the other half of the
/// room, so that one wait is enough.
template <int Warps, typename Sync>
struct Race {
  RaceRoom<Warps>& room;
  int thread;
  Sync sync;
  int turn = 0;

  __device__ Best best_of_all(Best best) {
    best = in_warp(best);
    turn ^= 1;
    if (thread % kWarp == 0) room.best[turn][thread / kWarp] = best;
    sync();
    return in_warp(room.best[turn][thread % Warps]);
  }
  __device__ int sum_of_all(int count) {
    for (int distance = kWarp / 2; distance > 0; distance /= 2)
      count += __shfl_xor_sync(~0U, count, distance);
    turn ^= 1;
    if (thread % kWarp == 0) room.counts[turn][thread / kWarp] = count;
    sync();
    int sum = room.counts[turn][thread % Warps];
    for (int distance = Warps / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(~0U, sum, distance);
    return sum;
  }

 private:
  static __device__ Best in_warp(Best one) {
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      const Best other{__shfl_xor_sync(~0U, one.score, distance), __shfl_xor_sync(~0U, one.token, distance),
                       __shfl_xor_sync(~0U, one.order, distance)};
      one = better(one, other);
    }
    return one;
  }
};

/// The winner among the `k` largest logits, all that equal the last one included. Rather than to find these
/// first, all tokens of at least `least` race (an order that the k largest reach), and where a token of lower
/// rank wins, those above it race again. `contest(least)`: the best of a thread's tokens of at least that
/// order; `count(order)`: how many of them lie above.
template <int Warps, typename Sync, typename Contest, typename Count>
__device__ Best run_race(Race<Warps, Sync>& race, const Contest& contest, const Count& count, int k,
                         unsigned least) {
  while (true) {
    const Best best = race.best_of_all(contest(least));
    if (best.score < 0 || race.sum_of_all(count(best.order)) < k) return best;
    least = best.order + 1;
  }
}

/// Nobody, with whom a contest begins: also the best of logits that are no numbers.
__device__ inline Best nobody() { return {-1.0F, 0, ~0U}; }

/// What a thread without a token has: of the lowest order, and never better than nobody.
__device__ inline Best absent() { return {-1.0F, 0, 0}; }

__device__ inline Best entrant(float value, int token, float draw, float largest, float temperature) {
  return {expf((value - largest) / temperature) / draw, token, ordered(value)};
}

}  // namespace moshi::cuda
