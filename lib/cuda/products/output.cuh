// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What becomes of a product's sums: see Output. Roundings are spelled out, so that no kernel fuses what
// another does not.
#pragma once

#include "cuda/products/fragments.cuh"
#include "cuda/products/linear.h"

namespace moshi::cuda {

__device__ inline float activate(Activation kind, float x) {
  switch (kind) {
    case Activation::Silu:
      return x / (1.0F + expf(-x));
    case Activation::Gelu:
      return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
    case Activation::Relu:
      return fmaxf(x, 0.0F);
    case Activation::Sigmoid:
      return 1.0F / (1.0F + expf(-x));
    case Activation::Tanh:
      return tanhf(x);
    case Activation::LeakyRelu:
      return x > 0 ? x : 0.01F * x;
    case Activation::Elu:
      return x > 0 ? x : expm1f(x);
    case Activation::Mish:
      return x * tanhf(log1pf(expf(x)));
    case Activation::Softsign:
      return x / (1.0F + fabsf(x));
    case Activation::Identity:
      break;
  }
  return x;
}

template <Element E>
__device__ inline void write_next(const Output& output, int feature, int column, float value) {
  auto* next = static_cast<typename Operand<E>::Type*>(output.next.values);
  store(next[activation_index(feature, column, output.next.columns)], value, output.overflows);
}

__device__ inline float* place_of(const Output& output, int row, int column) {
  return output.values + static_cast<size_t>(column) * output.stride + row;
}

/// What an output needs besides the chains' sums, read while they are still being made.
struct Terms {
  float scale = 1;
  float bias = 0;
  float up_scale = 1;  ///< Of the row 8 further on, where that one is gated.
  float up_bias = 0;
  float there = 0;  ///< What the result is added to.
};

/// Those that no kernel writes. The row is that of the whole product.
__device__ inline Terms constant_terms_of(const Matrix& w, const Output& output, int row) {
  Terms terms;
  const bool gated = output.kind == Output::Kind::Gate;
  if (w.scale != nullptr) {
    terms.scale = w.scale[row];
    if (gated) terms.up_scale = w.scale[row + 8];
  }
  if (output.bias != nullptr) {
    terms.bias = output.bias[row];
    if (gated) terms.up_bias = output.bias[row + 8];
  }
  return terms;
}

/// What is there already.
__device__ inline float there_of(const Output& output, int row, int column) {
  // Past the first cache: its line may be older than what another kernel's block wrote to it.
  return output.kind == Output::Kind::Add ? __ldcg(place_of(output, row, column)) : 0.0F;
}

/// Row and column are those of the whole product.
__device__ inline Terms terms_of(const Matrix& w, const Output& output, int row, int column) {
  Terms terms = constant_terms_of(w, output, row);
  terms.there = there_of(output, row, column);
  return terms;
}

/// Asks for what terms_of() reads of some rows and is nobody's result, by `threads` threads.
__device__ inline void prefetch_terms(const Matrix& w, const Output& output, int first_row, int rows,
                                      int thread, int threads) {
  constexpr int kLine = 128 / static_cast<int>(sizeof(float));
  const int end = min(first_row + rows, w.rows);
  for (int row = first_row + thread * kLine; row < end; row += threads * kLine) {
    if (w.scale != nullptr) asm volatile("prefetch.global.L2 [%0];" ::"l"(w.scale + row));
    if (output.bias != nullptr) asm volatile("prefetch.global.L2 [%0];" ::"l"(output.bias + row));
  }
}

/// One row and column of the chains' sums [kChains][rows][stride], added up.
__device__ inline float add_chains(const float* parts, int rows, int stride, int row, int column) {
  float sum = parts[row * stride + column];
#pragma unroll
  for (int chain = 1; chain < kChains; ++chain) sum += parts[(chain * rows + row) * stride + column];
  return sum;
}

/// Results that some rows give for each column.
__device__ inline int results_of(const Output& output, int rows) {
  return output.kind == Output::Kind::Gate ? rows / 2 : rows;
}

/// The row that result i of some rows begins with.
__device__ inline int row_of(const Output& output, int i) {
  return output.kind == Output::Kind::Gate ? i / 8 * kTileRows + i % 8 : i;
}

/// Writes the result of a row from its sum; where it is gated, `up_sum` is that of the row 8 further on.
template <Element E>
__device__ inline void write(const Output& output, const Terms& terms, float sum, float up_sum, int row,
                             int column) {
  const float y = __fadd_rn(__fmul_rn(sum, terms.scale), terms.bias);
  float* place = place_of(output, row, column);
  switch (output.kind) {
    case Output::Kind::Store:
      *place = y;
      break;
    case Output::Kind::Add:
      *place = output.scale != nullptr ? fmaf(output.scale[row], y, terms.there) : __fadd_rn(terms.there, y);
      break;
    case Output::Kind::Activate:
      write_next<E>(output, row, column, activate(output.activation, y));
      break;
    case Output::Kind::Gate: {
      const float up = __fadd_rn(__fmul_rn(up_sum, terms.up_scale), terms.up_bias);
      // Rows 0 to 7 of each 16 are gates, so result 8 g + j of row 16 g + j.
      const int feature = row / kTileRows * 8 + row % 8;
      write_next<E>(output, feature, column, activate(output.activation, y) * up);
    }
  }
}

/// Writes what `parts` say of a row: `row` of `rows` there, `first_row + row` of the product.
template <Element E>
__device__ inline void write(const Output& output, const Terms& terms, const float* parts, int rows,
                             int stride, int first_row, int row, int column) {
  const float sum = add_chains(parts, rows, stride, row, column);
  const float up_sum =
      output.kind == Output::Kind::Gate ? add_chains(parts, rows, stride, row + 8, column) : 0.0F;
  write<E>(output, terms, sum, up_sum, first_row + row, column);
}

}  // namespace moshi::cuda
