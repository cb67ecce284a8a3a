// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Causal streaming convolutions. Reference: moshi/modules/conv.py, StreamingConv1d and
// StreamingConvTranspose1d.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>

#include "nn/linear.h"
#include "nn/rows.h"

namespace moshi::nn {

struct ConvOptions {
  int64_t stride = 1;
  int64_t dilation = 1;
  std::optional<double> elu;  ///< Alpha of an ELU the input goes through first.
};

/// A causal convolution over time with channels last, computed as one matrix product over windows
/// of the input. A transposed convolution is the same over windows of ceil(kernel / stride) inputs
/// with `stride` outputs each: it remembers inputs where the reference keeps the overlap of outputs.
class Conv {
 public:
  /// `weight` [Cout, Cin, K], `bias` [Cout] or undefined; stride <= (K - 1) * dilation + 1.
  Conv(const at::Tensor& weight, const at::Tensor& bias, const ConvOptions& options);
  /// `weight` [Cin, Cout, K], `bias` [Cout] or undefined; dilation is 1, stride <= K.
  static Conv transposed(const at::Tensor& weight, const at::Tensor& bias, const ConvOptions& options);

  /// Stores the weights as CUDA kernels want them: see Linear::chunk().
  void chunk() { linear_.chunk(); }
  /// The product: rows [output][Cout], depth [tap][Cin].
  [[nodiscard]] const Linear& linear() const { return linear_; }
  [[nodiscard]] int64_t in_channels() const { return in_channels_; }
  [[nodiscard]] int64_t kernel() const { return kernel_; }
  [[nodiscard]] int64_t stride() const { return stride_; }
  [[nodiscard]] int64_t dilation() const { return dilation_; }
  [[nodiscard]] int64_t outputs() const { return outputs_; }
  [[nodiscard]] std::optional<double> elu() const { return elu_; }

  /// Input steps each slot remembers: (K - 1) * dilation + 1 - stride, or ceil(K / stride) - 1.
  [[nodiscard]] int64_t history_steps() const { return history_steps_; }
  /// Zeros [slots, history_steps, Cin]: streams that have not begun.
  [[nodiscard]] at::Tensor make_history(int64_t slots) const;

  /// Continues the streams of `rows`: x [B, T, Cin], T a multiple of the stride -> [B, T / stride,
  /// Cout] ([B, T * stride, Cout] transposed). `history` is of make_history().
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x, at::Tensor& history, const Rows& rows) const;
  /// The same for a convolution that remembers nothing.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  /// Valid convolution of `window` [B, history + T, Cin].
  [[nodiscard]] at::Tensor apply(const at::Tensor& window) const;

  Linear linear_;  ///< [outputs * Cout, K * Cin], windows flattened in time order.
  int64_t in_channels_;
  int64_t kernel_;
  int64_t stride_;
  int64_t dilation_;
  int64_t outputs_ = 1;  ///< Outputs per window: the stride of a transposed convolution.
  int64_t history_steps_;
  std::optional<double> elu_;
};

}  // namespace moshi::nn
