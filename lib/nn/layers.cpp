// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/layers.h"

#include <cmath>

#include "moshi/moshi.h"

namespace moshi::nn {
namespace {

using checkpoint::Gating;
using checkpoint::Norm;

bool is_rms(Norm kind) { return kind == Norm::RmsNorm || kind == Norm::RmsNormF32; }

at::Tensor activate(Gating gating, const at::Tensor& x) {
  switch (gating) {
    case Gating::Silu:
      return at::silu(x);
    case Gating::Gelu:
      return at::gelu(x);
    case Gating::Relu:
      return at::relu(x);
    case Gating::Sigmoid:
      return at::sigmoid(x);
    case Gating::Tanh:
      return at::tanh(x);
    case Gating::LeakyRelu:
      return at::leaky_relu(x);
    case Gating::Elu:
      return at::elu(x);
    case Gating::Mish:
      return at::mish(x);
    case Gating::Softsign:
      return x / (x.abs() + 1);
    case Gating::Identity:
    case Gating::None:
      break;
  }
  return x;
}

}  // namespace

NormLayer::NormLayer(Norm kind, int64_t dim, const Weights& weights) : kind_(kind) {
  if (is_rms(kind)) {
    weight_ = weights.get("alpha", {1, 1, dim});
  } else {
    weight_ = weights.get("weight", {dim});
    bias_ = weights.get("bias", {dim});
  }
  if (kind == Norm::LayerNormF32) {
    weight_ = weight_.to(at::kFloat);
    bias_ = bias_.to(at::kFloat);
  }
}

double NormLayer::epsilon() const {
  return kind_ == Norm::RmsNormF32 || kind_ == Norm::LayerNormF32 ? 1e-8 : 1e-5;
}

at::Tensor NormLayer::operator()(const at::Tensor& x) const {
  switch (kind_) {
    case Norm::LayerNorm:
      return at::layer_norm(x, {x.size(-1)}, weight_, bias_, epsilon());
    case Norm::LayerNormF32:
      return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, weight_, bias_, epsilon()).to(x.scalar_type());
    case Norm::RmsNorm:
    case Norm::RmsNormF32:
      break;
  }
  const bool f32 = kind_ == Norm::RmsNormF32;
  const at::Tensor v = f32 ? x.to(at::kFloat) : x;
  const at::Tensor variance = (v * v).mean(-1, /*keepdim=*/true).add(epsilon());
  return (v * (weight_.to(v.scalar_type()) * at::rsqrt(variance))).to(x.scalar_type());
}

int64_t gating_hidden(int64_t dim, int64_t dim_feedforward) {
  return dim_feedforward == 4 * dim ? 21 * dim / 8 : 2 * dim_feedforward / 3;
}

FeedForward::FeedForward(Gating gating, int64_t dim, int64_t dim_feedforward, const Weights& weights)
    : gating_(gating) {
  if (gating == Gating::None) {
    in_ = Linear(weights.matrix("linear1.weight", {dim_feedforward, dim}));
    out_ = Linear(weights.matrix("linear2.weight", {dim, dim_feedforward}));
  } else {
    const int64_t hidden = gating_hidden(dim, dim_feedforward);
    in_ = Linear(weights.matrix("linear_in.weight", {2 * hidden, dim}));
    out_ = Linear(weights.matrix("linear_out.weight", {dim, hidden}));
  }
}

at::Tensor FeedForward::operator()(const at::Tensor& x) const {
  const at::Tensor u = in_(x);
  if (gating_ == Gating::None) {
    return out_(at::gelu(u));
  }
  if (interleaved_) {
    const at::Tensor pairs = u.unflatten(-1, {-1, 2, 8});
    return out_(activate(gating_, pairs.select(-2, 0)).mul(pairs.select(-2, 1)).flatten(-2));
  }
  const int64_t hidden = u.size(-1) / 2;
  return out_(activate(gating_, u.narrow(-1, 0, hidden)) * u.narrow(-1, hidden, hidden));
}

void FeedForward::tile() {
  interleaved_ = gating_ != Gating::None;
  in_.tile(interleaved_);
  out_.tile();
}

Rope Rope::at_positions(const at::Tensor& positions, int64_t head_dim, double max_period, bool interleave) {
  const at::Tensor steps = at::arange(head_dim / 2, positions.options().dtype(at::kFloat));
  const at::Tensor frequencies = (steps * (-std::log(max_period) * 2 / static_cast<double>(head_dim))).exp();
  const at::Tensor angles = frequencies * positions.to(at::kFloat).unsqueeze(-1).unsqueeze(-1);
  return {angles.cos(), angles.sin(), interleave};
}

at::Tensor Rope::operator()(const at::Tensor& x) const {
  const int64_t half = x.size(-1) / 2;
  const at::Tensor pairs = interleave ? x.unflatten(-1, {half, 2}) : x;
  const at::Tensor real = (interleave ? pairs.select(-1, 0) : x.narrow(-1, 0, half)).to(at::kFloat);
  const at::Tensor imag = (interleave ? pairs.select(-1, 1) : x.narrow(-1, half, half)).to(at::kFloat);
  const at::Tensor out_real = (real * cos - imag * sin).to(x.scalar_type());
  const at::Tensor out_imag = (real * sin + imag * cos).to(x.scalar_type());
  return interleave ? at::stack({out_real, out_imag}, -1).flatten(-2) : at::cat({out_real, out_imag}, -1);
}

at::Tensor sin_embedding(const at::Tensor& positions, int64_t dim, double max_period, at::ScalarType dtype) {
  const int64_t half = dim / 2;
  const auto options = positions.options().dtype(dtype);
  const at::Tensor exponents = at::arange(half, options) / (half - 1);
  const at::Tensor periods = at::pow(at::full({}, max_period, options), exponents);
  const at::Tensor phase = positions.to(dtype).unsqueeze(-1) / periods;
  return at::cat({phase.cos(), phase.sin()}, -1);
}

}  // namespace moshi::nn
