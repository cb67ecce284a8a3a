// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// How the kernels want weights and activations in device memory.
#pragma once

#include <cstdint>

namespace moshi::cuda {

/// What a matrix is stored as, and what its products are computed from: f32 x f32 and bf16 x bf16 as they
/// are, int8 weights with f16 activations. Sums are f32.
enum class Element { F32, BF16, Int8 };

/// Rows and depth of one tile of weights: what a warp multiplies at a time.
constexpr int kTileRows = 16;
constexpr int kTileDepth = 32;

/// A weight matrix [rows, depth] as tiles: `[rows / 16][depth / 32]`, rows padded with zeros to whole tiles,
/// depth a multiple of 32. Inside a tile lane (g, t) = (lane / 4, lane % 4) of a warp finds what it
/// multiplies, 16 bytes at a time: rows g and g + 8 at k = 8 t + 4 h + 2 p + e, in the orders
///   BF16 `[h][g][t][p][row half][e]`, the registers of two mma.m16n8k16 whose k are permuted alike on both
///   sides; Int8 `[g][t][h][p][e][row half]`, each value plus 128; F32  `[row half][h][g][t][2 p + e]`.
struct Matrix {
  const void* tiles = nullptr;
  const float* scale = nullptr;  ///< Int8: f32 of each (padded) row.
  Element element = Element::F32;
  int rows = 0;
  int depth = 0;
  [[nodiscard]] constexpr int row_groups() const { return (rows + kTileRows - 1) / kTileRows; }
};

/// Activations of `columns` conversations as `[depth / 32][columns][32]` in the dtype an Element multiplies
/// with: f32, bf16, or f16 for Int8.
struct Activations {
  void* values = nullptr;
  int columns = 0;
  int depth = 0;
};

}  // namespace moshi::cuda
