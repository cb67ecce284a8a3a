// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Residual vector quantization (lib/mimi/quantizer.h computes the same), and the steps between the rates of
// frames and latents. A column's result depends on that column alone, to the last bit.
#pragma once

#include "cuda/codec/convolve.h"

namespace moshi::cuda {

/// The vector a column is nearest to: its index in the low half, in the high half the distance's bits.
using Nearest = unsigned long long;
/// Further than any.
constexpr Nearest kNone = ~Nearest{0};
/// Widest vectors, in multiples of 4.
constexpr int kWidestVector = 1024;

/// One codebook: the vectors as a filter of [bins][width], and their squared norms.
struct Codebook {
  Filter vectors;
  const float* squares = nullptr;
};

/// What a level quantizes: `values` [columns][stride], less what the level before it found, if there is one.
struct Remainder {
  const float* values = nullptr;
  int stride = 0;
  Codebook codebook;               ///< Of the level before.
  const Nearest* found = nullptr;  ///< [columns] of the level before, or null.
  float* kept = nullptr;           ///< [columns][width]: for the level after, not `values`.
};

/// found[c], which was kNone: the vector nearest to column c, the lowest index of equals, by the distances
/// torch.cdist gives: its direct form for few vectors, else its matrix form. Launch, `overlap` and result as
/// convolve()'s.
int find_nearest(const Codebook& codebook, const Remainder& x, int columns, Nearest* found, bool overlap,
                 void* stream);

/// out [columns][2 * width]: the sum of the vectors of the first `semantic` of a column's codes, and the sum
/// of the others. `codes` is [columns][levels], -1: none; `codebooks` [levels] in device memory.
int sum_vectors(const Filter* codebooks, int levels, int semantic, int width, const int* codes, int columns,
                float* out, bool overlap, void* stream);

/// out[c][s] = now[s] * x[c] + before[s] * (x of the stream's last frame) for s < stride; remembers x.
/// `taps` is [2][stride][channels]: now and before. `past`: offset of [2][channels].
int upsample(const float* x, const float* taps, int stride, int channels, int64_t past,
             const Streams& streams, float* out, bool overlap, void* stream);

}  // namespace moshi::cuda
