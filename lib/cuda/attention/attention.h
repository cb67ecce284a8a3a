// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Attention of one new position of each conversation over its past, which lies in pages of keys and values.
#pragma once

#include <cstdint>

#include "cuda/tiles.h"

namespace moshi::cuda {

/// Positions of one page.
constexpr int kPagePositions = 64;
/// Positions that one block attends to; a longer past is split, by its length alone.
constexpr int kSplitPositions = 128;

/// What keys and values are kept as. Int8: each head's vector of a position as value / scale + 128, with an
/// f32 scale of its own.
enum class Stored { F32, BF16, Int8 };

/// Bytes of one head's keys (or values) in a page: [kPagePositions][head dim], then Int8's scales
/// [kPagePositions].
[[nodiscard]] constexpr int64_t bytes_of_head(Stored stored, int head_dim) {
  const int of_vector = stored == Stored::F32    ? head_dim * 4
                        : stored == Stored::BF16 ? head_dim * 2
                                                 : head_dim + static_cast<int>(sizeof(float));
  return static_cast<int64_t>(kPagePositions) * of_vector;
}

/// Keys and values of all conversations, in pages `[layer][key, value][head]` of bytes_of_head() each; each
/// conversation's pages in the order of its ring of positions.
struct Pages {
  const int64_t* table = nullptr;  ///< [slots, pages_a_slot]: addresses of pages, in device memory.
  int pages_a_slot = 0;
  Stored stored = Stored::F32;
  int heads = 0;  ///< Of keys and values.
  int head_dim = 0;
  /// All but the newest position was there before the kernels that may still run: can be read before they
  /// end.
  bool settled = false;
};

enum class Rotation { None, Interleaved, Halves };

/// What the layers of a transformer share.
struct Attention {
  int heads = 0;    ///< Of queries: a multiple of the pages' heads, which follow each other in groups.
  int context = 0;  ///< Ring of positions; a query sees this many, itself included. 0: all, no ring.
  Rotation rotation = Rotation::None;
  float max_period = 10000;
};

/// Room for results of splits: see attention_scratch().
struct Scratch {
  float* partial = nullptr;
  int* arrivals = nullptr;  ///< [columns, heads], zeros; kernels leave zeros.
};

/// Floats of `partial` for `columns` columns whose ring has `positions` positions.
[[nodiscard]] constexpr int64_t attention_scratch(int columns, int heads, int head_dim, int positions) {
  return static_cast<int64_t>(columns) * heads * ((positions + kSplitPositions - 1) / kSplitPositions) *
         (head_dim + 2);
}

/// out = attention of each column's query, in the dtype `element` multiplies with; writes the column's key
/// and value to its page. qkv f32 [columns][(heads + 2 pages.heads) * head_dim]; `slots[c]`: the column's
/// slot, -1: none, out is 0; `positions[c]`: its stream position; both device memory that no kernel before
/// this one writes, as is the table. Head dim 32, 64 or 128. `longest`:
/// positions of the longest ring the launch must serve. `overlap`, `stream` and the result as those of
/// multiply().
int attend(const float* qkv, const Attention& attention, const Pages& pages, int layer, const int* slots,
           const int* positions, int longest, const Scratch& scratch, const Activations& out, Element element,
           int* overflows, bool overlap, void* stream);

}  // namespace moshi::cuda
