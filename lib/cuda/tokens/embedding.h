// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace moshi::cuda {

/// Rows of embedding tables, summed. All pointers are device memory.
struct EmbeddingSum {
  const void* const* tables = nullptr;  ///< `streams` tables [tokens, dim], bf16 or f32.
  bool bf16 = false;
  int streams = 0;
  int dim = 0;
  const float* conditions = nullptr;  ///< [slots, dim], or null: added for the column's slot.
};

/// x[c] = sum over streams s of tables[s][tokens[c * streams + s]], a token of -1 adding nothing, plus the
/// condition of slots[c] (-1: none); x f32 [columns][dim]. `overlap`, `stream` and the result as those of
/// multiply().
int embed(const EmbeddingSum& sum, const int* tokens, const int* slots, int columns, float* x, bool overlap,
          void* stream);

}  // namespace moshi::cuda
