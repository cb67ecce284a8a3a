// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/linear.h"

#include <limits>
#include <utility>

#include "nn/memory.h"
#include "nn/tiles.h"

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

Matrix Matrix::rows(int64_t first, int64_t count) const {
  return {values.narrow(0, first, count), scale.defined() ? scale.narrow(0, first, count) : scale};
}

Matrix quantized(const at::Tensor& weight) {
  const at::Tensor w = weight.to(at::kHalf).to(at::kFloat);
  const at::Tensor largest = w.abs().amax(1);
  // A row of zeros stays one.
  const at::Tensor steps = 127 / largest.clamp_min(std::numeric_limits<float>::min());
  return {(w * steps.unsqueeze(1)).round_().to(at::kChar), largest / 127};
}

Linear::Linear(const Matrix& weight, at::Tensor bias)
    : rows_(weight.values.size(0)),
      depth_(weight.values.size(1)),
      scale_(weight.scale),
      bias_(std::move(bias)) {
  const int64_t length = is_cpu_f32(weight.values) ? kPartLength : weight.values.size(1);
  for (const at::Tensor& part : weight.values.split(length, 1)) {
    parts_.push_back(part.contiguous());
  }
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  auto shape = x.sizes().vec();
  shape.back() = rows_;
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  if (scale_.defined()) {
    return from_integers(rows).view(shape);
  }
  const bool few = rows.size(0) <= kFewRows && is_cpu_f32(parts_.front()) && layout_ == Layout::Rows;
  return (few ? few_rows(rows) : many_rows(rows)).view(shape);
}

void Linear::tile(bool interleave) {
  const auto ordered = [&](const at::Tensor& rows) { return interleave ? interleaved(rows) : rows; };
  parts_ = {tiled(ordered(weights()))};
  layout_ = Layout::Tiles;
  if (scale_.defined()) {
    const int64_t padded = parts_.front().size(0) * cuda::kTileRows;
    scale_ = at::constant_pad_nd(ordered(scale_), {0, padded - rows_});
  }
  if (bias_.defined()) {
    bias_ = ordered(bias_);
  }
  release_spare_memory(parts_.front().device());
}

cuda::Matrix Linear::matrix() const {
  const at::Tensor& tiles = parts_.front();
  const cuda::Element element = tiles.scalar_type() == at::kByte       ? cuda::Element::Int8
                                : tiles.scalar_type() == at::kBFloat16 ? cuda::Element::BF16
                                                                       : cuda::Element::F32;
  return {tiles.data_ptr(), scale_.defined() ? scale_.const_data_ptr<float>() : nullptr, element,
          static_cast<int>(rows_), static_cast<int>(tiles.size(1)) * cuda::kTileDepth};
}

Linear Linear::stacked(std::span<Linear> linears) {
  Linear all = linears.front();
  if (linears.size() == 1) return all;
  all.rows_ = 0;
  std::vector<at::Tensor> tiles;
  std::vector<at::Tensor> scales;
  for (const Linear& one : linears) {
    tiles.push_back(one.parts_.front());
    if (one.scale_.defined()) scales.push_back(one.scale_);
    all.rows_ += one.rows_;
  }
  all.parts_ = {at::cat(tiles)};
  if (!scales.empty()) all.scale_ = at::cat(scales);
  int64_t first = 0;
  for (Linear& one : linears) {
    const int64_t groups = one.parts_.front().size(0);
    one.parts_ = {all.parts_.front().narrow(0, first, groups)};
    if (one.scale_.defined()) {
      one.scale_ = all.scale_.narrow(0, first * cuda::kTileRows, one.rows_);
    }
    first += groups;
  }
  return all;
}

void Linear::chunk() {
  parts_ = {chunked(weights())};
  layout_ = Layout::Chunks;
}

cuda::Filter Linear::filter() const {
  return {parts_.front().const_data_ptr<float>(), bias_.defined() ? bias_.const_data_ptr<float>() : nullptr,
          static_cast<int>(rows_), static_cast<int>(depth_)};
}

at::Tensor Linear::weights() const {
  switch (layout_) {
    case Layout::Tiles:
      return untiled(parts_.front(), rows_);
    case Layout::Chunks:
      return unchunked(parts_.front(), rows_, depth_);
    case Layout::Rows:
      break;
  }
  return parts_.size() == 1 ? parts_.front() : at::cat(parts_, 1);
}

at::Tensor Linear::from_integers(const at::Tensor& x) const {
  const at::Tensor weight = weights();
  const at::Tensor scale = scale_.narrow(0, 0, rows_);
  // Integers up to 127 are exact in every floating type; the scales are not.
  const at::Tensor y = x.device().is_cpu()
                           ? at::_weight_int8pack_mm(x, weight, scale.to(x.scalar_type()))
                           : (at::linear(x, weight.to(x.scalar_type())) * scale).to(x.scalar_type());
  return bias_.defined() ? y + bias_ : y;
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
    return at::linear(x, weights(), bias_);
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
  uint64_t sum = scale_.defined() ? scale_.nbytes() : 0;
  for (const at::Tensor& part : parts_) {
    sum += part.nbytes();
  }
  return sum;
}

}  // namespace moshi::nn
