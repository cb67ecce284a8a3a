// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the tests of kernels share.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "cuda/tiles.h"
#include "nn/linear.h"
#include "nn/tiles.h"

namespace moshi::cuda {

class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no CUDA device";
    at::manual_seed(1);
  }
};

inline const at::Device kGpu(at::kCUDA, 0);

/// The type of activations that an Element's products take.
inline at::ScalarType operand(Element element) {
  return element == Element::F32 ? at::kFloat : element == Element::BF16 ? at::kBFloat16 : at::kHalf;
}

/// [columns, depth] on the device as kernels take it, and the memory it lies in.
struct DeviceActivations {
  DeviceActivations(const at::Tensor& values, Element element)
      : columns(values.size(0)),
        depth(values.size(1)),
        memory(values.to(operand(element))
                   .view({columns, depth / 32, 32})
                   .transpose(0, 1)
                   .contiguous()
                   .to(kGpu)) {}
  static DeviceActivations empty(int64_t columns, int64_t depth, Element element) {
    return {at::zeros({columns, depth}), element};
  }
  [[nodiscard]] Activations get() const {
    return {memory.data_ptr(), static_cast<int>(columns), static_cast<int>(depth)};
  }
  /// Back as [columns, depth] in double precision.
  [[nodiscard]] at::Tensor values() const {
    return memory.cpu().transpose(0, 1).reshape({columns, depth}).to(at::kDouble);
  }
  int64_t columns;
  int64_t depth;
  at::Tensor memory;
};

/// A random matrix on the device, and its values as they are stored, in double precision.
struct DeviceMatrix {
  DeviceMatrix(int64_t rows, int64_t depth, Element kind)
      : DeviceMatrix(at::randn({rows, depth}) / std::sqrt(static_cast<double>(depth)), kind) {}
  DeviceMatrix(const at::Tensor& weights, Element kind)
      : element(kind), rows(weights.size(0)), depth(weights.size(1)) {
    if (element == Element::Int8) {
      const nn::Matrix integers = nn::quantized(weights);
      values = (integers.values.to(at::kDouble) * integers.scale.to(at::kDouble).unsqueeze(1));
      tiles = nn::tiled(integers.values).to(kGpu);
      scale = at::constant_pad_nd(integers.scale, {0, (16 - rows % 16) % 16}).to(kGpu);
    } else {
      const at::Tensor stored = weights.to(element == Element::BF16 ? at::kBFloat16 : at::kFloat);
      values = stored.to(at::kDouble);
      tiles = nn::tiled(stored).to(kGpu);
    }
  }
  [[nodiscard]] Matrix get() const {
    return {tiles.data_ptr(), scale.defined() ? scale.const_data_ptr<float>() : nullptr, element,
            static_cast<int>(rows), static_cast<int>(depth)};
  }
  Element element;
  int64_t rows;
  int64_t depth;
  at::Tensor values;
  at::Tensor tiles;
  at::Tensor scale;
};

inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  return ((found.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

}  // namespace moshi::cuda
