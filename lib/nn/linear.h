// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <span>
#include <utility>
#include <vector>

#include "cuda/codec/convolve.h"
#include "cuda/tiles.h"

namespace moshi::nn {

/// A weight matrix W [out, in]: floating point, or int8 where `scale` is defined.
struct Matrix {
  at::Tensor values;
  at::Tensor scale;  ///< f32 [out]: row o of W is values[o] * scale[o].
  /// The same rows of both.
  [[nodiscard]] Matrix rows(int64_t first, int64_t count) const;
};

/// `weight` [out, in] with each row as int8 in [-127, 127] times a scale, as bitsandbytes' row-wise
/// int8_vectorwise_quant makes it (of the weight cast to f16).
Matrix quantized(const at::Tensor& weight);

/// y = x W^T + b, laid out so that a few rows of f32 on the CPU run at the speed of memory: BLAS
/// libraries read a matrix two to three times slower for 1 to 4 rows than for the same product
/// transposed, and slower again where rows of W are longer than about 1000.
class Linear {
 public:
  Linear() = default;
  /// `bias` [out] or undefined.
  explicit Linear(const Matrix& weight, at::Tensor bias = {});
  explicit Linear(const at::Tensor& weight, at::Tensor bias = {})
      : Linear(Matrix{weight, {}}, std::move(bias)) {}

  /// x [..., in] -> contiguous [..., out].
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

  /// Stores the weights as the tiles CUDA kernels multiply (nn/tiles.h); `interleave`: with the two halves of
  /// the rows in turns of 8, an order that operator() keeps. Products by operator() are slow from then on.
  void tile(bool interleave = false);
  /// The tiles, for kernels.
  [[nodiscard]] cuda::Matrix matrix() const;
  /// Matrices of one depth below each other as one, which shares their memory; all stored as tiles, of whole
  /// tiles' rows, without bias.
  [[nodiscard]] static Linear stacked(std::span<Linear> linears);
  /// Stores the weights, f32 without scales, as the filter CUDA kernels convolve with; slow likewise.
  void chunk();
  /// The filter, for kernels.
  [[nodiscard]] cuda::Filter filter() const;
  /// W as rows, whatever it is stored as.
  [[nodiscard]] at::Tensor weights() const;
  [[nodiscard]] const at::Tensor& bias() const { return bias_; }
  [[nodiscard]] int64_t outputs() const { return rows_; }

  /// Device and dtype of the weights.
  [[nodiscard]] at::TensorOptions options() const { return parts_.front().options(); }
  /// Bytes of the weight matrix.
  [[nodiscard]] uint64_t bytes() const;

 private:
  [[nodiscard]] at::Tensor from_integers(const at::Tensor& x) const;
  [[nodiscard]] at::Tensor few_rows(const at::Tensor& x) const;
  [[nodiscard]] at::Tensor many_rows(const at::Tensor& x) const;

  enum class Layout { Rows, Tiles, Chunks };
  /// W cut along `in`, each contiguous [out, in of the part]; or one in the layout of kernels.
  std::vector<at::Tensor> parts_;
  int64_t rows_ = 0;
  int64_t depth_ = 0;
  Layout layout_ = Layout::Rows;
  at::Tensor scale_;  ///< Of int8 rows; these are one part.
  at::Tensor bias_;
};

}  // namespace moshi::nn
