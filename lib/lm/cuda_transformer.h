// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A transformer's step as CUDA kernels, which lib/nn/transformer.h describes and computes with LibTorch.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "cuda/attention/attention.h"
#include "cuda/attention/recent.h"
#include "cuda/graph.h"
#include "cuda/products/linear.h"
#include "cuda/products/norm.h"
#include "nn/transformer.h"

namespace moshi::lm {

/// Most conversations of one step.
constexpr int kMostColumns = cuda::kMostColumns;

/// What kernels read besides matrices: small parameters as f32, kept as long as this.
class CudaParameters {
 public:
  /// Address of the values; null for an undefined tensor.
  const float* floats(const at::Tensor& values);
  cuda::Norm norm(const nn::NormLayer& layer);

 private:
  std::vector<at::Tensor> kept_;
};

/// Zeros for `features` of each of kMostColumns columns.
at::Tensor column_buffer(int64_t features, at::ScalarType type, at::Device device);
/// Such a buffer as `columns` columns of activations.
cuda::Activations as_activations(const at::Tensor& buffer, int64_t depth, int columns);
/// The dtype of what an Element's matrices multiply.
at::ScalarType operand_of(cuda::Element element);

class CudaTransformer {
 public:
  /// Why kernels cannot step a transformer of this kind; empty where they can. `part` begins the words.
  static std::string obstacle(const std::string& part, const checkpoint::TransformerConfig& config);

  /// `model` has tiles of `element`, and outlives this. `overflows`: see cuda::Output.
  CudaTransformer(const nn::Transformer& model, cuda::Element element, int* overflows, at::Device device);

  /// Where its pages are found, and whether they are settled: see cuda::Pages.
  void set_pages(const int64_t* table, int pages_a_slot, bool settled);
  [[nodiscard]] int64_t page_bytes() const;
  /// From a position to the next one in a page.
  [[nodiscard]] int64_t entry_bytes() const;
  /// The residual stream, f32 [columns, dim]: what a step reads and leaves.
  [[nodiscard]] float* residual() const { return residual_.mutable_data_ptr<float>(); }
  [[nodiscard]] const nn::Transformer& model() const { return *model_; }
  /// One step of `columns` columns, with the weights of step `set_step` where they differ by step. `slots`,
  /// `positions`, `longest`: see cuda::attend.
  void launch(const int* slots, const int* positions, int set_step, int longest, int columns,
              const cuda::Stream& stream) const;

 private:
  struct Layer {
    cuda::Norm norm1;
    cuda::Norm norm2;
    const float* scale1;
    const float* scale2;
  };
  const nn::Transformer* model_;
  cuda::Element element_;
  int* overflows_;
  cuda::Attention attention_;
  cuda::Pages pages_;
  CudaParameters parameters_;
  std::vector<Layer> layers_;
  at::Tensor residual_;
  at::Tensor normed_;
  at::Tensor qkv_;  ///< f32 [columns, (heads + 2 kv heads) * head dim].
  at::Tensor attended_;
  at::Tensor gated_;    ///< Between the matrices of a feed-forward.
  at::Tensor partial_;  ///< Scratch of attention.
  at::Tensor arrivals_;
};

}  // namespace moshi::lm
