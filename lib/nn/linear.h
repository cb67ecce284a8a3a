// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace moshi::nn {

/// y = x W^T + b, laid out so that a few rows of f32 on the CPU run at the speed of memory: BLAS
/// libraries read a matrix two to three times slower for 1 to 4 rows than for the same product
/// transposed, and slower again where rows of W are longer than about 1000.
class Linear {
 public:
  Linear() = default;
  /// `weight` [out, in]; `bias` [out] or undefined.
  explicit Linear(const at::Tensor& weight, at::Tensor bias = {});

  /// x [..., in] -> contiguous [..., out].
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

  /// Device and dtype.
  [[nodiscard]] at::TensorOptions options() const { return parts_.front().options(); }
  /// Bytes of the weight matrix.
  [[nodiscard]] uint64_t bytes() const;

 private:
  [[nodiscard]] at::Tensor few_rows(const at::Tensor& x) const;
  [[nodiscard]] at::Tensor many_rows(const at::Tensor& x) const;

  std::vector<at::Tensor> parts_;  ///< W cut along `in`, each contiguous [out, in of the part].
  at::Tensor bias_;
};

}  // namespace moshi::nn
