// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/device.cuh"
#include "cuda/tokens/choose.h"
#include "cuda/tokens/philox.h"
#include "cuda/tokens/race.cuh"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / kWarp;
/// Tokens of a thread that race.
constexpr int kRacing = 2;

/// The guided logits of one column.
struct Logits {
  const float* own;
  const float* null;  ///< Or null.
  float coefficient;
  __device__ float operator()(int token) const {
    const float value = __ldcg(own + token);
    if (null == nullptr) return value;
    const float base = __ldcg(null + token);
    return base + (value - base) * coefficient;
  }
};

struct Sync {
  __device__ void operator()() const { __syncthreads(); }
};

/// A bound that the k largest logits reach, near the smallest of them: the least of the largest of k or more
/// groups of tokens. `largest`: order of the thread's own.
__device__ inline unsigned bound_of(unsigned largest, int k) {
  __shared__ unsigned least[kWarps];
  if (k > kThreads) return 0;
  // Threads in groups of a power of two, at least k groups.
  int groups = kWarps;
  while (groups < k) groups *= 2;
  for (int distance = 1; distance < kThreads / groups; distance *= 2)
    largest = max(largest, __shfl_xor_sync(~0U, largest, distance));
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    largest = min(largest, __shfl_xor_sync(~0U, largest, distance));
  if (threadIdx.x % kWarp == 0) least[threadIdx.x / kWarp] = largest;
  __syncthreads();
  unsigned bound = least[threadIdx.x % kWarp];
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    bound = min(bound, __shfl_xor_sync(~0U, bound, distance));
  return bound;
}

/// Writes the next input of a column by the whole block; token -1: none.
__device__ inline void follow_up(const Follow& follow, int column, int token) {
  for (int i = threadIdx.x; i < follow.dim; i += kThreads) {
    float value = __ldcg(follow.base + static_cast<size_t>(column) * follow.base_stride + i);
    const size_t index = static_cast<size_t>(token) * follow.dim + i;
    if (token >= 0) {
      value = __fadd_rn(value, follow.table_bf16
                                   ? __bfloat162float(static_cast<const __nv_bfloat16*>(follow.table)[index])
                                   : static_cast<const float*>(follow.table)[index]);
    }
    follow.x[static_cast<size_t>(column) * follow.dim + i] = value;
  }
}

/// Tokens that may be among the k largest, where a thread holds too many for all of them to race.
struct Candidates {
  float values[kRacing * kThreads];
  int tokens[kRacing * kThreads];
  int count;
};

/// One block a column; a thread holds the logits of `Held` tokens, and reads those behind them when it needs
/// them.
template <int Held>
__global__ void __launch_bounds__(kThreads, 1)
    choose_kernel(const float* logits, int stride, int card, const Choice* choices, uint32_t row, int* tokens,
                  Follow follow) {
  __shared__ RaceRoom<kWarps> room;
  constexpr bool kAllRace = Held <= kRacing;
  const int column = blockIdx.x;
  const int thread = threadIdx.x;
  let_next_start();
  const Choice choice = choices[column];
  const auto draw_of = [&](int token) {
    return exponential(choice.seed, static_cast<uint64_t>(choice.step), row, static_cast<uint32_t>(token));
  };
  // Draws do not depend on logits: few enough, they are made while these are.
  float draws[kRacing];
  if (kAllRace && choice.wanted && choice.temperature > 0) {
#pragma unroll
    for (int i = 0; i < kRacing; ++i) draws[i] = draw_of(i * kThreads + thread);
  }
  wait_for_previous();
  if (!choice.wanted) {
    const bool is_null = thread < gridDim.x && choices[thread].null_column == column;
    if (__syncthreads_or(is_null ? 1 : 0) == 0 && follow.x != nullptr) follow_up(follow, column, -1);
    return;
  }
  const Logits read{
      logits + static_cast<size_t>(column) * stride,
      choice.null_column < 0 ? nullptr : logits + static_cast<size_t>(choice.null_column) * stride,
      choice.coefficient};
  float held[Held];
#pragma unroll
  for (int i = 0; i < Held; ++i) {
    const int token = i * kThreads + thread;
    held[i] = token < card ? read(token) : 0.0F;
  }
  const auto values = [&](const auto& use) {
#pragma unroll
    for (int i = 0; i < Held; ++i) {
      const int token = i * kThreads + thread;
      if (token < card) use(token, held[i]);
    }
    for (int token = Held * kThreads + thread; token < card; token += kThreads) use(token, read(token));
  };
  Race<kWarps, Sync> race{room, thread, {}};
  Best best{-INFINITY, 0, 0};  // Also of logits that are no numbers.
  unsigned largest = 0;
  values([&](int token, float value) {
    best = better(best, {value, token, 0});
    largest = max(largest, ordered(value));
  });
  best = race.best_of_all(best);
  const float largest_logit = best.score;
  if (choice.temperature > 0) {
    const int k = choice.top_k <= 0 ? card : min(choice.top_k, card);
    const unsigned bound = bound_of(largest, k);
    const auto enter = [&](int token, float value, float draw) {
      return entrant(value, token, draw, largest_logit, choice.temperature);
    };
    Best racing[kRacing];
    int candidates = 0;
    if constexpr (kAllRace) {
#pragma unroll
      for (int i = 0; i < kRacing; ++i) {
        const int token = i * kThreads + thread;
        racing[i] = token < card ? enter(token, held[i], draws[i]) : absent();
      }
    } else {
      __shared__ Candidates found;
      if (thread == 0) found.count = 0;
      __syncthreads();
      values([&](int token, float value) {
        if (ordered(value) < bound) return;
        const int place = atomicAdd(&found.count, 1);
        if (place >= kRacing * kThreads) return;
        found.values[place] = value;
        found.tokens[place] = token;
      });
      __syncthreads();
      candidates = found.count;
      for (int i = 0; i < kRacing; ++i) {
        const int place = i * kThreads + thread;
        racing[i] = absent();
        if (place < candidates) {
          const int token = found.tokens[place];
          racing[i] = enter(token, found.values[place], draw_of(token));
        }
      }
    }
    const auto all = [&](const auto& use) {
      if (candidates <= kRacing * kThreads) {
        for (const Best& one : racing) use(one);
      } else {
        for (int token = thread; token < card; token += kThreads)
          use(enter(token, read(token), draw_of(token)));
      }
    };
    const auto contest = [&](unsigned least) {
      Best best_of_own = nobody();
      all([&](const Best& one) {
        if (one.order >= least) best_of_own = better(best_of_own, one);
      });
      return best_of_own;
    };
    const auto count = [&](unsigned order) {
      int above = 0;
      all([&](const Best& one) { above += one.order > order ? 1 : 0; });
      return above;
    };
    best = run_race(race, contest, count, k, bound);
  }
  if (thread == 0) {
    tokens[column] = best.token;
    if (choice.null_column >= 0) tokens[choice.null_column] = best.token;
  }
  if (follow.x != nullptr) {
    follow_up(follow, column, best.token);
    if (choice.null_column >= 0) follow_up(follow, choice.null_column, best.token);
  }
}

}  // namespace

int choose(const float* logits, int stride, int card, const Choice* choices, uint32_t row, int columns,
           int* tokens, const Follow& follow, bool overlap, void* stream) {
  const Launch launch(columns, kThreads, 0, overlap, stream);
  if (card <= 2 * kThreads)
    return launch(choose_kernel<2>, logits, stride, card, choices, row, tokens, follow);
  return launch(choose_kernel<32>, logits, stride, card, choices, row, tokens, follow);
}

}  // namespace moshi::cuda
