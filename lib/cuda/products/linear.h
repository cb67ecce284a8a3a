// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products of weight matrices with the activations of up to 64 conversations. A column's result depends on
// that column alone, to the last bit: depth is summed in 8 chains, chain c over tiles c, c + 8, ... in rising
// order, and the chains' sums are added in the order 0 to 7, however many columns there are.
#pragma once

#include "cuda/products/norm.h"
#include "cuda/tiles.h"

namespace moshi::cuda {

/// Most columns of one product.
constexpr int kMostColumns = 64;

/// Nonlinearities of feed-forward layers (lib/nn/layers.cpp computes the same).
enum class Activation { Identity, Silu, Gelu, Relu, Sigmoid, Tanh, LeakyRelu, Elu, Mish, Softsign };

/// Where a product goes. All pointers are device memory, f32 unless said; row r, column c.
struct Output {
  enum class Kind {
    Store,     ///< values[c * stride + r] = y
    Add,       ///< values[c * stride + r] += scale[r] * y (scale: layer scale, null for 1)
    Activate,  ///< next = activation(y)
    Gate,  ///< next[8 g + j] = activation(row 16 g + j) * (row 16 g + 8 + j): gate and up rows interleaved by
           ///< 8
  };
  Kind kind = Kind::Store;
  const float* bias = nullptr;  ///< [rows], or null.
  float* values = nullptr;
  int stride = 0;
  const float* scale = nullptr;
  Activation activation = Activation::Identity;
  Activations next;          ///< In the dtype of the matrix's Element.
  int* overflows = nullptr;  ///< Counts f16 activations that had to be cut to the largest f16, or null.
};

/// output = w x for every column of x. Launches on `stream` (a cudaStream_t); `overlap`: may start while the
/// kernel before it in the stream still runs (programmatic dependent launch, compute capability 9.0 and
/// later). Returns 0 or a cudaError_t.
int multiply(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream);

/// output = w norm(x) for f32 x [columns][w.depth], with the same bits as normalize() and multiply() give one
/// after the other, which it may be: `normed` is their room. The rest as multiply().
int multiply_normed(const Matrix& w, const float* x, const Norm& norm, const Activations& normed,
                    const Output& output, bool overlap, void* stream);

}  // namespace moshi::cuda
