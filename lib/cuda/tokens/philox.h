// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), one counter per
// draw, so a draw depends on its key alone: the same on CPU and CUDA, whatever the batch.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define MOSHI_HOST_DEVICE __host__ __device__
#else
#define MOSHI_HOST_DEVICE
#endif

namespace moshi::cuda {

/// First word of Philox for the key (seed) and counter (step, row, candidate).
MOSHI_HOST_DEVICE inline uint32_t philox(uint64_t seed, uint64_t step, uint32_t row, uint32_t candidate) {
  uint32_t c0 = candidate;
  uint32_t c1 = row;
  auto c2 = static_cast<uint32_t>(step);
  auto c3 = static_cast<uint32_t>(step >> 32);
  auto k0 = static_cast<uint32_t>(seed);
  auto k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53ULL * c0;
    const uint64_t p1 = 0xCD9E8D57ULL * c2;
    const auto n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const auto n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c0;
}

/// An Exp(1) draw for the same key: -log(u) with u in (0, 1).
MOSHI_HOST_DEVICE inline float exponential(uint64_t seed, uint64_t step, uint32_t row, uint32_t candidate) {
  // 23 bits and a half step: exact in f32, never 0 or 1.
  const float u = (static_cast<float>(philox(seed, step, row, candidate) >> 9) + 0.5F) * (1.0F / 8388608.0F);
  return -logf(u);
}

}  // namespace moshi::cuda
