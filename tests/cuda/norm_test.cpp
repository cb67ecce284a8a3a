// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/norm.h"

#include "kernels.h"

namespace moshi::cuda {
namespace {

using NormKernel = KernelTest;

TEST_F(NormKernel, IsTheLayersNorm) {
  for (const bool mean : {false, true}) {
    for (const int64_t features : {64, 96, 1024, 4096}) {
      const at::Tensor x = at::randn({5, features}) * 3 + 1;
      const at::Tensor weight = at::rand({features}) + 0.5;
      const at::Tensor bias = mean ? at::randn({features}) : at::Tensor();
      const at::Tensor on_gpu[] = {x.to(kGpu), weight.to(kGpu), mean ? bias.to(kGpu) : at::Tensor()};
      const auto out = DeviceActivations::empty(5, features, Element::F32);
      const Norm norm{false, mean, 1e-5F, on_gpu[1].const_data_ptr<float>(),
                      mean ? on_gpu[2].const_data_ptr<float>() : nullptr};
      ASSERT_EQ(normalize(on_gpu[0].const_data_ptr<float>(), norm, out.get(), Element::F32, nullptr, false,
                          nullptr),
                0);
      const at::Tensor v = x.to(at::kDouble);
      const at::Tensor centred = mean ? v - v.mean(1, true) : v;
      at::Tensor expected = centred / (centred.square().mean(1, true) + 1e-5).sqrt() * weight;
      if (mean) expected = expected + bias;
      EXPECT_LT(relative_error(out.values(), expected), 1e-6) << mean << ", " << features;
    }
  }
}

TEST_F(NormKernel, WritesWhatProductsTake) {
  const at::Tensor x = at::randn({3, 64}).to(kGpu);
  const at::Tensor weight = at::ones({64}).to(kGpu);
  const Norm norm{false, false, 1e-8F, weight.const_data_ptr<float>(), nullptr};
  const auto exact = DeviceActivations::empty(3, 64, Element::F32);
  ASSERT_EQ(normalize(x.const_data_ptr<float>(), norm, exact.get(), Element::F32, nullptr, false, nullptr),
            0);
  for (const Element element : {Element::BF16, Element::Int8}) {
    const auto out = DeviceActivations::empty(3, 64, element);
    ASSERT_EQ(normalize(x.const_data_ptr<float>(), norm, out.get(), element, nullptr, false, nullptr), 0);
    EXPECT_TRUE(at::equal(out.values(), exact.values().to(at::kFloat).to(operand(element)).to(at::kDouble)));
  }
}

TEST_F(NormKernel, NoneOnlyConverts) {
  const at::Tensor x = at::randn({3, 64});
  const at::Tensor on_gpu = x.to(kGpu);
  const auto out = DeviceActivations::empty(3, 64, Element::BF16);
  Norm none;
  none.none = true;
  ASSERT_EQ(
      normalize(on_gpu.const_data_ptr<float>(), none, out.get(), Element::BF16, nullptr, false, nullptr), 0);
  EXPECT_TRUE(at::equal(out.values(), x.to(at::kBFloat16).to(at::kDouble)));
}

}  // namespace
}  // namespace moshi::cuda
