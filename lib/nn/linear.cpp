// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/linear.h"

#include <utility>

namespace moshi::nn {
namespace {

/// Longest rows of W kept in one part on the CPU (measured with MKL on Zen 4).
constexpr int64_t kPartLength = 1024;
/// Most rows of x for which W x^T is faster than x W^T.
constexpr int64_t kFewRows = 4;

bool is_cpu_f32(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
}

}  // namespace

Linear::Linear(const at::Tensor& weight, at::Tensor bias) : bias_(std::move(bias)) {
  const int64_t length = is_cpu_f32(weight) ? kPartLength : weight.size(1);
  for (const at::Tensor& part : weight.split(length, 1)) {
    parts_.push_back(part.contiguous());
  }
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  auto shape = x.sizes().vec();
  shape.back() = parts_.front().size(0);
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  const bool few = rows.size(0) <= kFewRows && is_cpu_f32(parts_.front());
  return (few ? few_rows(rows) : many_rows(rows)).view(shape);
}

at::Tensor Linear::few_rows(const at::Tensor& x) const {
  // Two equal columns are read as fast as memory allows, one is not.
  const at::Tensor columns = (x.size(0) == 1 ? x.expand({2, -1}).contiguous() : x).t();
  at::Tensor y;
  int64_t start = 0;
  for (const at::Tensor& part : parts_) {
    const at::Tensor inputs = columns.narrow(0, start, part.size(1));
    if (start > 0) {
      y.addmm_(part, inputs);
    } else {
      y = bias_.defined() ? at::addmm(bias_.unsqueeze(1), part, inputs) : at::mm(part, inputs);
    }
    start += part.size(1);
  }
  return y.narrow(1, 0, x.size(0)).t().contiguous();
}

at::Tensor Linear::many_rows(const at::Tensor& x) const {
  if (parts_.size() == 1) {
    return at::linear(x, parts_.front(), bias_);
  }
  at::Tensor y;
  int64_t start = 0;
  for (const at::Tensor& part : parts_) {
    const at::Tensor inputs = x.narrow(1, start, part.size(1));
    if (start > 0) {
      y.addmm_(inputs, part.t());
    } else {
      y = at::linear(inputs, part, bias_);
    }
    start += part.size(1);
  }
  return y;
}

uint64_t Linear::bytes() const {
  uint64_t sum = 0;
  for (const at::Tensor& part : parts_) {
    sum += part.nbytes();
  }
  return sum;
}

}  // namespace moshi::nn
