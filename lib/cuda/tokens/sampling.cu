// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <cuda_runtime.h>

#include "cuda/tokens/philox.h"
#include "cuda/tokens/sampling.h"

namespace moshi::cuda {
namespace {

constexpr int kThreads = 256;

// One block a row; ties go to the more probable candidate, as a serial scan would decide.
__global__ void race_kernel(const float* probabilities, const int64_t* candidates, const int64_t* top_k,
                            const int64_t* seeds, const int64_t* steps, uint32_t row, int64_t width,
                            int64_t* tokens) {
  __shared__ float best_score[kThreads];
  __shared__ int64_t best_rank[kThreads];
  const int64_t b = blockIdx.x;
  const int64_t limit = top_k[b] < width ? top_k[b] : width;
  float score = -1.0F;
  int64_t rank = 0;
  for (int64_t i = threadIdx.x; i < limit; i += kThreads) {
    const auto candidate = static_cast<uint32_t>(candidates[b * width + i]);
    const float value =
        probabilities[b * width + i] /
        exponential(static_cast<uint64_t>(seeds[b]), static_cast<uint64_t>(steps[b]), row, candidate);
    if (value > score) {
      score = value;
      rank = i;
    }
  }
  best_score[threadIdx.x] = score;
  best_rank[threadIdx.x] = rank;
  for (int stride = kThreads / 2; stride > 0; stride /= 2) {
    __syncthreads();
    if (threadIdx.x < stride) {
      const unsigned other = threadIdx.x + stride;
      if (best_score[other] > best_score[threadIdx.x] ||
          (best_score[other] == best_score[threadIdx.x] && best_rank[other] < best_rank[threadIdx.x])) {
        best_score[threadIdx.x] = best_score[other];
        best_rank[threadIdx.x] = best_rank[other];
      }
    }
  }
  if (threadIdx.x == 0) {
    tokens[b] = candidates[b * width + best_rank[0]];
  }
}

}  // namespace

int race(const float* probabilities, const int64_t* candidates, const int64_t* top_k, const int64_t* seeds,
         const int64_t* steps, uint32_t row, int64_t batch, int64_t width, int64_t* tokens, void* stream) {
  race_kernel<<<static_cast<unsigned>(batch), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      probabilities, candidates, top_k, seeds, steps, row, width, tokens);
  return static_cast<int>(cudaGetLastError());
}

const char* architectures() { return MOSHI_CUDA_ARCHITECTURES; }

}  // namespace moshi::cuda
