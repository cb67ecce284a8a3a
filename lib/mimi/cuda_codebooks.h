// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "cuda/codec/codebooks.h"
#include "mimi/quantizer.h"

namespace moshi::mimi {

/// A quantizer as CUDA kernels want it, for both directions.
class CudaCodebooks {
 public:
  /// `quantizer` has its codebooks as chunks.
  explicit CudaCodebooks(const Quantizer& quantizer);

  /// Levels of the first quantizer, then those of the rest.
  [[nodiscard]] const std::vector<cuda::Codebook>& levels() const { return levels_; }
  [[nodiscard]] int semantic_levels() const { return semantic_levels_; }
  [[nodiscard]] int width() const { return levels_.front().vectors.depth; }
  /// Their vectors, as an array in device memory.
  [[nodiscard]] const cuda::Filter* vectors() const;
  /// Latents to the inputs of both quantizers, and the sums of both quantizers' vectors to latents.
  [[nodiscard]] const at::Tensor& input_projection() const { return input_projection_; }
  [[nodiscard]] const at::Tensor& output_projection() const { return output_projection_; }

 private:
  int semantic_levels_;
  std::vector<cuda::Codebook> levels_;
  std::vector<at::Tensor> kept_;
  at::Tensor vectors_;
  at::Tensor input_projection_;
  at::Tensor output_projection_;
};

}  // namespace moshi::mimi
