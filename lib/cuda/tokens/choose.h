// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Tokens from logits: top-k sampling with draws that depend on (seed, step, row, candidate) alone, so that
// the same conversation says the same on the CPU (lib/lm/sampling.cpp) and here, whoever shares its batch.
#pragma once

#include <cstdint>

namespace moshi::cuda {

/// How one conversation's tokens are drawn. An array of these lies in device memory, so that a captured graph
/// follows what changes.
struct Choice {
  bool wanted = true;     ///< False: no token for this column (a null column gets its conversation's).
  float temperature = 0;  ///< 0: the largest logit, the first of equals.
  int top_k = 0;          ///< Candidates, all that equal the last one included; 0: every token.
  uint64_t seed = 0;
  int64_t step = 0;
  /// Classifier-free guidance: logits are null + (own - null) * coefficient. -1: none.
  int null_column = -1;
  float coefficient = 1;
};

/// What a column's token becomes: x[c] = base[c] + table[token], the input of the next codebook's step. All
/// pointers are device memory.
struct Follow {
  float* x = nullptr;           ///< f32 [columns][dim], or null: nothing follows.
  const float* base = nullptr;  ///< f32 [columns][base_stride].
  int base_stride = 0;
  const void* table = nullptr;  ///< [tokens][dim], bf16 or f32 as `table_bf16` says.
  bool table_bf16 = false;
  int dim = 0;
};

/// tokens[c] for `columns` columns of logits f32 [columns][stride], of which `card` are tokens; a column's
/// null column gets the same token. Then what follows; for a column with neither, its base alone. `choices`
/// are device memory that no kernel before this one writes. `row` keys the draw: 0 for text, 1 + codebook for
/// audio. `overlap`, `stream` and the result as those of multiply().
int choose(const float* logits, int stride, int card, const Choice* choices, uint32_t row, int columns,
           int* tokens, const Follow& follow, bool overlap, void* stream);

}  // namespace moshi::cuda
