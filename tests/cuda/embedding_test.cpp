// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/tokens/embedding.h"

#include <vector>

#include "kernels.h"

namespace moshi::cuda {
namespace {

using EmbeddingKernel = KernelTest;

TEST_F(EmbeddingKernel, SumsRowsAndConditions) {
  constexpr int64_t kDim = 300;
  const at::Tensor tables = at::randn({3, 20, kDim}).to(at::kBFloat16).to(kGpu);
  const at::Tensor addresses = at::empty({3}, at::kLong);
  for (int64_t i = 0; i < 3; ++i) addresses[i] = reinterpret_cast<int64_t>(tables[i].data_ptr());
  const at::Tensor on_gpu = addresses.to(kGpu);
  const at::Tensor conditions = at::randn({4, kDim}).to(kGpu);
  const at::Tensor tokens = at::tensor({0, 19, 7, 3, -1, 3}, at::kInt).to(kGpu);
  const at::Tensor slots = at::tensor({2, -1}, at::kInt).to(kGpu);
  const at::Tensor x = at::empty({2, kDim}, at::TensorOptions(at::kFloat).device(kGpu));
  const EmbeddingSum sum{reinterpret_cast<const void* const*>(on_gpu.data_ptr()), true, 3, kDim,
                         conditions.const_data_ptr<float>()};
  ASSERT_EQ(embed(sum, tokens.const_data_ptr<int>(), slots.const_data_ptr<int>(), 2,
                  x.mutable_data_ptr<float>(), false, nullptr),
            0);
  const at::Tensor t = tables.cpu().to(at::kDouble);
  const at::Tensor expected =
      at::stack({t[0][0] + t[1][19] + t[2][7] + conditions[2].cpu().to(at::kDouble), t[0][3] + t[2][3]});
  EXPECT_LT(relative_error(x.cpu(), expected), 1e-6);
}

TEST_F(EmbeddingKernel, SumsManyRows) {
  constexpr int kDim = 130;
  constexpr int kStreams = 17;
  const at::Tensor tables = at::randn({kStreams, 20, kDim}).to(kGpu);
  const at::Tensor addresses = at::empty({kStreams}, at::kLong);
  for (int64_t i = 0; i < kStreams; ++i) addresses[i] = reinterpret_cast<int64_t>(tables[i].data_ptr());
  const at::Tensor on_gpu = addresses.to(kGpu);
  const at::Tensor tokens = at::arange(kStreams, at::kInt).to(kGpu);
  const at::Tensor slots = at::zeros({1}, tokens.options());
  const at::Tensor x = at::empty({1, kDim}, tables.options());
  const EmbeddingSum sum{reinterpret_cast<const void* const*>(on_gpu.data_ptr()), false, kStreams, kDim,
                         nullptr};
  ASSERT_EQ(embed(sum, tokens.const_data_ptr<int>(), slots.const_data_ptr<int>(), 1,
                  x.mutable_data_ptr<float>(), false, nullptr),
            0);
  at::Tensor expected = at::zeros({1, kDim}, at::kDouble);
  for (int64_t i = 0; i < kStreams; ++i) expected += tables[i][i].cpu().to(at::kDouble);
  EXPECT_LT(relative_error(x.cpu(), expected), 1e-6);
}

}  // namespace
}  // namespace moshi::cuda
