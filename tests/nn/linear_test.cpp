// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/linear.h"

#include <gtest/gtest.h>

namespace moshi::nn {
namespace {

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {}) {
  const at::Tensor y = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
  return bias.defined() ? y + bias : y;
}

at::Tensor plain(const Matrix& matrix) { return matrix.values * matrix.scale.unsqueeze(1); }

double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  return ((found - expected).norm() / expected.norm()).item<double>();
}

TEST(Linear, AnyNumberOfRowsIsTheProduct) {
  at::manual_seed(1);
  const at::Tensor weight = at::randn({50, 2500});  // Rows of several parts on the CPU.
  const at::Tensor bias = at::randn({50});
  for (const int64_t rows : {1, 2, 4, 5, 64}) {
    const at::Tensor x = at::randn({rows, 1, 2500});
    EXPECT_LT(relative_error(Linear(weight)(x), product(x, weight)), 1e-6) << rows;
    EXPECT_LT(relative_error(Linear(weight, bias)(x), product(x, weight, bias)), 1e-6) << rows;
  }
}

TEST(Linear, StackedTilesAreOneMatrixInOneMemory) {
  at::manual_seed(6);
  const at::Tensor weight = at::randn({96, 64});
  for (const bool integers : {false, true}) {
    const Matrix matrix = integers ? quantized(weight) : Matrix{weight, {}};
    std::vector<Linear> parts;
    for (const int64_t first : {0, 32}) parts.emplace_back(matrix.rows(first, first == 0 ? 32 : 64));
    for (Linear& part : parts) part.tile();
    const Linear all = Linear::stacked(parts);
    EXPECT_EQ(all.outputs(), 96);
    EXPECT_TRUE(at::equal(all.weights(), matrix.values));
    EXPECT_TRUE(at::equal(parts[1].weights(), matrix.values.narrow(0, 32, 64)));
    const auto place = [](const Linear& linear) { return static_cast<const char*>(linear.matrix().tiles); };
    EXPECT_EQ(place(parts[0]), place(all));
    EXPECT_EQ(place(parts[1]), place(all) + parts[0].bytes() - (integers ? 32 * sizeof(float) : 0));
    if (integers) {
      EXPECT_EQ(parts[1].matrix().scale, all.matrix().scale + 32);
    }
  }
}

TEST(Quantized, RowsAreIntegersTimesTheirLargest) {
  const Matrix matrix = quantized(at::tensor({127.0F, -1.0F, 2.5F, -3.5F,  //
                                              -0.5F, 0.25F, 0.0F, 0.125F,  //
                                              0.0F, 0.0F, 0.0F, 0.0F})
                                      .view({3, 4}));
  const at::Tensor integers =
      at::tensor({127, -1, 2, -4, -127, 64, 0, 32, 0, 0, 0, 0}).view({3, 4});  // Halves go to even.
  EXPECT_TRUE(at::equal(matrix.values.to(at::kLong), integers.to(at::kLong)));
  EXPECT_TRUE(at::equal(matrix.scale * 127, at::tensor({127.0F, 0.5F, 0.0F})));
}

TEST(Quantized, IsWithinHalfAStep) {
  at::manual_seed(2);
  const at::Tensor weight = at::randn({64, 300}).to(at::kHalf).to(at::kFloat);
  const Matrix matrix = quantized(weight);
  const at::Tensor distance = (plain(matrix) - weight).abs() / matrix.scale.unsqueeze(1);
  EXPECT_LE(distance.max().item<float>(), 0.5F + 1e-4F);
}

TEST(Quantized, CostsLessThanAHundredthOnGaussianRows) {
  at::manual_seed(3);
  const at::Tensor weight = at::randn({256, 4096});
  const at::Tensor x = at::randn({4, 4096});
  const double error = relative_error(Linear(quantized(weight))(x), product(x, weight));
  EXPECT_GT(error, 0.007);
  EXPECT_LT(error, 0.010);
}

TEST(Quantized, LinearIsTheProductOfItsRows) {
  at::manual_seed(4);
  const Matrix matrix = quantized(at::randn({33, 70}));
  const at::Tensor bias = at::randn({33});
  for (const int64_t rows : {1, 3, 20}) {
    const at::Tensor x = at::randn({rows, 70});
    EXPECT_LT(relative_error(Linear(matrix, bias)(x), product(x, plain(matrix), bias)), 1e-5) << rows;
  }
}

TEST(Quantized, PartOfItsRows) {
  at::manual_seed(5);
  const Matrix matrix = quantized(at::randn({12, 8}));
  EXPECT_TRUE(at::equal(plain(matrix.rows(4, 3)), plain(matrix).narrow(0, 4, 3)));
}

}  // namespace
}  // namespace moshi::nn
