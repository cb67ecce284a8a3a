// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/choose.h"
#include "cuda/device.cuh"
#include "cuda/philox.h"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr int kDigits = 256;

/// Unsigned integers in the order of floats.
__device__ inline unsigned ordered(float value) {
  const unsigned bits = __float_as_uint(value);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

struct Best {
  float score;
  int token;
};

/// The higher score, then the smaller token.
__device__ inline Best better(Best a, Best b) {
  return b.score > a.score || (b.score == a.score && b.token < a.token) ? b : a;
}

__device__ inline Best block_best(Best best) {
  __shared__ Best found[kThreads / kWarp];
  const auto in_warp = [](Best one) {
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      const Best other{__shfl_xor_sync(~0U, one.score, distance), __shfl_xor_sync(~0U, one.token, distance)};
      one = better(one, other);
    }
    return one;
  };
  best = in_warp(best);
  __syncthreads();  // An earlier result has been read.
  if (threadIdx.x % kWarp == 0) found[threadIdx.x / kWarp] = best;
  __syncthreads();
  return in_warp(found[threadIdx.x % kWarp]);
}

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

/// The order of the k-th largest logit, found digit by digit.
__device__ inline unsigned order_of_rank(const Logits& logits, int card, int k) {
  __shared__ int counts[kDigits];
  __shared__ unsigned found;
  __shared__ int left;
  if (threadIdx.x == 0) found = 0, left = k;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int digit = threadIdx.x; digit < kDigits; digit += kThreads) counts[digit] = 0;
    __syncthreads();
    for (int token = threadIdx.x; token < card; token += kThreads) {
      const unsigned order = ordered(logits(token));
      const bool same_start = shift == 24 || (order ^ found) >> (shift + 8) == 0;
      if (same_start) atomicAdd(&counts[order >> shift & 0xFF], 1);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int digit = kDigits - 1;
      while (digit > 0 && counts[digit] < left) left -= counts[digit--];
      found |= static_cast<unsigned>(digit) << shift;
    }
    __syncthreads();
  }
  return found;
}

/// One block a column.
__global__ void __launch_bounds__(kThreads) choose_kernel(const float* logits, int stride, int card,
                                                          const Choice* choices, uint32_t row, int* tokens) {
  const int column = blockIdx.x;
  let_next_start();
  wait_for_previous();
  const Choice choice = choices[column];
  if (!choice.wanted) return;
  const Logits values{
      logits + static_cast<size_t>(column) * stride,
      choice.null_column < 0 ? nullptr : logits + static_cast<size_t>(choice.null_column) * stride,
      choice.coefficient};
  Best best{-INFINITY, 0};  // Also of logits that are no numbers.
  for (int token = threadIdx.x; token < card; token += kThreads) best = better(best, {values(token), token});
  best = block_best(best);
  if (choice.temperature > 0) {
    const bool all = choice.top_k <= 0 || choice.top_k >= card;
    const unsigned least = all ? 0 : order_of_rank(values, card, choice.top_k);
    const float largest = best.score;
    best = {-1.0F, 0};
    for (int token = threadIdx.x; token < card; token += kThreads) {
      const float value = values(token);
      if (ordered(value) < least) continue;
      const float probability = expf((value - largest) / choice.temperature);
      const float draw =
          exponential(choice.seed, static_cast<uint64_t>(choice.step), row, static_cast<uint32_t>(token));
      best = better(best, {probability / draw, token});
    }
    best = block_best(best);
  }
  if (threadIdx.x == 0) {
    tokens[column] = best.token;
    if (choice.null_column >= 0) tokens[choice.null_column] = best.token;
  }
}

}  // namespace

int choose(const float* logits, int stride, int card, const Choice* choices, uint32_t row, int columns,
           int* tokens, bool overlap, void* stream) {
  return Launch(columns, kThreads, 0, overlap, stream)(choose_kernel, logits, stride, card, choices, row,
                                                       tokens);
}

}  // namespace moshi::cuda
