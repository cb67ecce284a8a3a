// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/linear.h"

#include <cmath>

#include "kernels.h"

namespace moshi::cuda {
namespace {

using LinearKernel = KernelTest;
constexpr Element kElements[] = {Element::F32, Element::BF16, Element::Int8};
/// Of one product, in the output's own precision.
double tolerance(Element element) { return element == Element::F32 ? 1e-6 : 5e-6; }

at::Tensor stored(const DeviceMatrix& w, const DeviceActivations& x, const at::Tensor& bias = {}) {
  const at::Tensor y = at::full({x.columns, w.rows}, NAN, at::TensorOptions(at::kFloat).device(kGpu));
  Output output;
  output.values = y.mutable_data_ptr<float>();
  output.stride = static_cast<int>(w.rows);
  output.bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  EXPECT_EQ(multiply(w.get(), x.get(), output, false, nullptr), 0);
  return y.cpu();
}

TEST_F(LinearKernel, IsTheProduct) {
  for (const Element element : kElements) {
    for (const auto& [rows, depth] : {std::pair{16, 32}, {64, 96}, {366, 256}, {1024, 1024}, {528, 11264}}) {
      const DeviceMatrix w(rows, depth, element);
      for (const int64_t columns : {1, 2, 7, 8, 9, 16, 31, 32, 33, 64}) {
        const DeviceActivations x(at::randn({columns, depth}), element);
        SCOPED_TRACE(testing::Message()
                     << static_cast<int>(element) << ' ' << rows << " x " << depth << ", " << columns);
        EXPECT_LT(relative_error(stored(w, x), at::matmul(x.values(), w.values.t())), tolerance(element));
      }
    }
  }
}

/// The product of as many columns at a time as `columns` says.
at::Tensor in_pieces(const DeviceMatrix& w, const at::Tensor& x, int64_t columns) {
  std::vector<at::Tensor> pieces;
  for (const at::Tensor& piece : x.split(columns)) {
    pieces.push_back(stored(w, DeviceActivations(piece, w.element)));
  }
  return at::cat(pieces);
}

TEST_F(LinearKernel, ColumnsDoNotDependOnTheirNeighbours) {
  for (const Element element : kElements) {
    for (const auto& [rows, depth] :
         {std::pair{208, 1056}, {2050, 96}, {5000, 256}, {22528, 64}, {12290, 2080}}) {
      const DeviceMatrix w(rows, depth, element);
      const at::Tensor x = at::randn({64, depth});
      const at::Tensor alone = in_pieces(w, x, 1);
      for (const int64_t columns : {4, 8, 9, 12, 16, 17, 24, 31, 32, 33, 48, 57, 64}) {
        EXPECT_TRUE(at::equal(in_pieces(w, x, columns), alone))
            << static_cast<int>(element) << ", " << rows << " x " << depth << ", " << columns;
      }
    }
  }
}

TEST_F(LinearKernel, EveryOutputIsTheSameInAnyCompany) {
  constexpr int64_t kRows = 8208;
  constexpr int64_t kDepth = 2080;
  const at::TensorOptions floats = at::TensorOptions(at::kFloat).device(kGpu);
  const at::Tensor bias = at::randn({kRows}, floats);
  const at::Tensor scale = at::rand({kRows}, floats);
  const at::Tensor before = at::randn({64, kRows}, floats);
  const at::Tensor x = at::randn({64, kDepth});
  for (const Element element : kElements) {
    const DeviceMatrix w(kRows, kDepth, element);
    const auto run = [&](Output::Kind kind, int64_t first, int64_t columns) {
      const DeviceActivations own(x.narrow(0, first, columns), element);
      const auto next = DeviceActivations::empty(columns, 8224, element);
      const at::Tensor values = before.narrow(0, first, columns).clone();
      Output output;
      output.kind = kind;
      output.bias = bias.const_data_ptr<float>();
      output.scale = scale.const_data_ptr<float>();
      output.values = values.mutable_data_ptr<float>();
      output.stride = kRows;
      output.activation = Activation::Silu;
      output.next = next.get();
      EXPECT_EQ(multiply(w.get(), own.get(), output, false, nullptr), 0);
      return at::cat({values.cpu().to(at::kDouble), next.values()}, 1);
    };
    for (const Output::Kind kind :
         {Output::Kind::Store, Output::Kind::Add, Output::Kind::Activate, Output::Kind::Gate}) {
      std::vector<at::Tensor> columns;
      for (int64_t column = 0; column < 64; ++column) columns.push_back(run(kind, column, 1));
      const at::Tensor alone = at::cat(columns);
      for (const int64_t company : {11, 16, 29, 32, 50, 64}) {
        EXPECT_TRUE(at::equal(run(kind, 64 - company, company), alone.narrow(0, 64 - company, company)))
            << static_cast<int>(element) << ", " << static_cast<int>(kind) << ", " << company;
      }
    }
  }
}

TEST_F(LinearKernel, NormsItsInputsAsTheNormDoes) {
  for (const Element element : kElements) {
    for (const auto& [none, mean] : {std::pair{false, false}, {false, true}, {true, false}}) {
      for (const auto& [rows, depth] :
           {std::pair{80, 96}, {80, 1024}, {80, 1056}, {80, 4096}, {15010, 1056}}) {
        const DeviceMatrix w(rows, depth, element);
        const at::Tensor weight = (at::rand({depth}) + 0.5).to(kGpu);
        const at::Tensor x = at::randn({64, depth}).to(kGpu);
        const Norm norm{none, mean, 1e-5F, weight.const_data_ptr<float>(), nullptr};
        for (const int64_t columns : {1, 2, 3, 5, 8, 9, 16, 33, 64}) {
          const auto room = DeviceActivations::empty(columns, depth, element);
          const auto* values = x.const_data_ptr<float>();
          ASSERT_EQ(normalize(values, norm, room.get(), element, nullptr, false, nullptr), 0);
          const at::Tensor expected = stored(w, room);
          const at::Tensor y = at::full({columns, rows}, NAN, x.options());
          Output output;
          output.values = y.mutable_data_ptr<float>();
          output.stride = rows;
          ASSERT_EQ(multiply_normed(w.get(), values, norm, room.get(), output, false, nullptr), 0);
          EXPECT_TRUE(at::equal(y.cpu(), expected)) << static_cast<int>(element) << ", " << none << mean
                                                    << ", " << rows << " x " << depth << ", " << columns;
        }
      }
    }
  }
}

TEST_F(LinearKernel, AddsScaledUpdatesAndBias) {
  const DeviceMatrix w(64, 64, Element::BF16);
  const DeviceActivations x(at::randn({3, 64}), Element::BF16);
  const at::Tensor bias = at::randn({64}).to(kGpu);
  const at::Tensor scale = at::rand({64}).to(kGpu);
  const at::Tensor before = at::randn({3, 64});
  const at::Tensor values = before.to(kGpu);
  Output output;
  output.kind = Output::Kind::Add;
  output.bias = bias.const_data_ptr<float>();
  output.scale = scale.const_data_ptr<float>();
  output.values = values.mutable_data_ptr<float>();
  output.stride = 64;
  ASSERT_EQ(multiply(w.get(), x.get(), output, false, nullptr), 0);
  const at::Tensor update = at::matmul(x.values(), w.values.t()) + bias.cpu();
  EXPECT_LT(relative_error(values.cpu(), before.to(at::kDouble) + update * scale.cpu()), 1e-6);
}

TEST_F(LinearKernel, GatesAndActivates) {
  for (const auto& [element, columns] : {std::pair{Element::F32, 9},
                                         {Element::BF16, 2},
                                         {Element::BF16, 9},
                                         {Element::Int8, 2},
                                         {Element::Int8, 33}}) {
    const at::Tensor weights = at::randn({2 * 72, 96}) / 10;
    const DeviceMatrix w(nn::interleaved(weights), element);
    const DeviceActivations x(at::randn({columns, 96}), element);
    const auto next =
        DeviceActivations::empty(columns, 96, element);  // 72 features and room to the next tile.
    Output output;
    output.kind = Output::Kind::Gate;
    output.activation = Activation::Silu;
    output.next = next.get();
    ASSERT_EQ(multiply(w.get(), x.get(), output, false, nullptr), 0);
    const DeviceMatrix plain(weights, element);
    const at::Tensor u = at::matmul(x.values(), plain.values.t());
    const at::Tensor expected = at::silu(u.narrow(1, 0, 72)) * u.narrow(1, 72, 72);
    EXPECT_LT(relative_error(next.values().narrow(1, 0, 72), expected),
              element == Element::F32 ? 1e-6 : 4e-3);

    const auto activated = DeviceActivations::empty(columns, 160, element);
    output.kind = Output::Kind::Activate;
    output.activation = Activation::Gelu;
    output.next = activated.get();
    ASSERT_EQ(multiply(plain.get(), x.get(), output, false, nullptr), 0);
    EXPECT_LT(relative_error(activated.values().narrow(1, 0, 144), at::gelu(u)),
              element == Element::F32 ? 1e-6 : 4e-3);
  }
}

TEST_F(LinearKernel, CutsAndCountsWhatF16CannotHold) {
  const DeviceMatrix w(at::eye(32) * 100, Element::Int8);
  const DeviceActivations x(at::full({2, 32}, 1000.0), Element::Int8);
  const auto next = DeviceActivations::empty(2, 32, Element::Int8);
  const at::Tensor overflows = at::zeros({1}, at::TensorOptions(at::kInt).device(kGpu));
  Output output;
  output.kind = Output::Kind::Activate;
  output.next = next.get();
  output.overflows = overflows.mutable_data_ptr<int>();
  ASSERT_EQ(multiply(w.get(), x.get(), output, false, nullptr), 0);
  EXPECT_TRUE((next.values() == 65504).all().item<bool>());
  EXPECT_EQ(overflows.item<int>(), 64);
}

TEST_F(LinearKernel, CutsAndCountsWhatANormMakesTooLarge) {
  constexpr int64_t kDepth = 4096;
  at::Tensor weight = at::ones({kDepth});
  weight.narrow(0, 40, 7).fill_(1e6);
  weight = weight.to(kGpu);
  const at::Tensor x = at::ones({64, kDepth}, at::TensorOptions(at::kFloat).device(kGpu));
  const Norm norm{false, false, 1e-5F, weight.const_data_ptr<float>(), nullptr};
  for (const int64_t rows : {80, 8192}) {
    const DeviceMatrix w(rows, kDepth, Element::Int8);
    for (const int columns : {1, 2, 4, 8, 64}) {
      const auto room = DeviceActivations::empty(columns, kDepth, Element::Int8);
      const at::Tensor y = at::zeros({columns, rows}, x.options());
      const at::Tensor overflows = at::zeros({1}, at::TensorOptions(at::kInt).device(kGpu));
      Output output;
      output.values = y.mutable_data_ptr<float>();
      output.stride = static_cast<int>(rows);
      output.overflows = overflows.mutable_data_ptr<int>();
      ASSERT_EQ(multiply_normed(w.get(), x.const_data_ptr<float>(), norm, room.get(), output, false, nullptr),
                0);
      EXPECT_EQ(overflows.item<int>(), 7 * columns) << rows << ", " << columns;
      EXPECT_TRUE(at::isfinite(y).all().item<bool>());
    }
  }
}

TEST_F(LinearKernel, RefusesWhatDoesNotFit) {
  const DeviceMatrix w(16, 64, Element::F32);
  EXPECT_NE(multiply(w.get(), DeviceActivations::empty(65, 64, Element::F32).get(), {}, false, nullptr), 0);
  EXPECT_NE(multiply(w.get(), DeviceActivations::empty(1, 32, Element::F32).get(), {}, false, nullptr), 0);
  const auto short_one = DeviceActivations::empty(1, 32, Element::F32);
  EXPECT_NE(multiply_normed(w.get(), nullptr, {}, short_one.get(), {}, false, nullptr), 0);
}

}  // namespace
}  // namespace moshi::cuda
