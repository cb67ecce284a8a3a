// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

namespace moshi::cuda {

/// The race of top-k sampling: for each of `batch` rows, tokens[b] = candidates[b][i] for the i below
/// top_k[b] that maximises probabilities[b][i] / Exp(1). All pointers are device memory;
/// `probabilities` and `candidates` are [batch, width], in falling order of probability; `seeds` and
/// `steps` key the draws together with `row` and the candidate's value. Runs on `stream`
/// (a cudaStream_t). Returns 0 or a cudaError_t.
int race(const float* probabilities, const int64_t* candidates, const int64_t* top_k, const int64_t* seeds,
         const int64_t* steps, uint32_t row, int64_t batch, int64_t width, int64_t* tokens, void* stream);

/// Compute capabilities this library has code for, comma-separated: "sm_90,compute_120".
const char* architectures();

}  // namespace moshi::cuda
