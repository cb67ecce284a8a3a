// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/cuda_plan.h"

#include <algorithm>
#include <utility>

#include "cuda/codec/codebooks.h"
#include "cuda/codec/ring_attention.h"
#include "nn/tiles.h"

namespace moshi::mimi {
namespace {

using checkpoint::PositionEmbedding;

/// Values that places in a stream's memory begin at multiples of: a cache line.
constexpr int64_t kAlignment = 32;

}  // namespace

std::string cuda_obstacle(const checkpoint::MimiConfig& config) {
  const checkpoint::TransformerConfig& transformer = config.transformer;
  const auto found = [](const char* what, int value) {
    return std::string(what) + " " + std::to_string(value);
  };
  const int steps = config.resample_stride();
  const int head_dim = transformer.dim / transformer.num_heads;
  if (steps > cuda::kMostSteps) return found("latents a frame", steps);
  if (head_dim % 4 != 0 || head_dim > cuda::kWidestHead) return found("head dimension", head_dim);
  if (steps * transformer.context > cuda::kMostScores) return found("context", transformer.context);
  if (transformer.dim > cuda::kWidestNorm) return found("dimension", transformer.dim);
  if (transformer.kv_repeat != 1) return found("kv_repeat", transformer.kv_repeat);
  if (transformer.gating != checkpoint::Gating::None) return "a gated feed-forward";
  if (config.quantizer_dimension % 4 != 0 || config.quantizer_dimension > cuda::kWidestVector) {
    return found("codebook dimension", config.quantizer_dimension);
  }
  if (transformer.position == PositionEmbedding::Sin || transformer.position == PositionEmbedding::SinRope) {
    return "sinusoidal positions";
  }
  return {};
}

// -------------------------------------------------------------------------------------------- memory

float* WorkingMemory::take(int64_t values) {
  // The smallest that is free and large enough, else a new one.
  const auto larger = [](const at::Tensor& a, const at::Tensor& b) { return a.numel() < b.numel(); };
  std::sort(free_.begin(), free_.end(), larger);
  const auto found = std::find_if(free_.begin(), free_.end(), [&](const at::Tensor& buffer) {
    return buffer.numel() >= values * kMostStreams;
  });
  at::Tensor buffer;
  if (found != free_.end()) {
    buffer = *found;
    free_.erase(found);
  } else {
    buffer = at::zeros({values * kMostStreams}, at::TensorOptions(at::kFloat).device(device_));
  }
  float* address = buffer.mutable_data_ptr<float>();
  taken_.emplace(address, std::move(buffer));
  return address;
}

void WorkingMemory::release(float* buffer) {
  auto taken = taken_.extract(buffer);
  if (taken) free_.push_back(std::move(taken.mapped()));
}

void WorkingMemory::release_all() {
  while (!taken_.empty()) release(taken_.begin()->first);
}

int64_t CudaPlan::remember(int64_t values) {
  const int64_t place = memory_values_;
  memory_values_ += (values + kAlignment - 1) / kAlignment * kAlignment;
  return place;
}

const float* CudaPlan::parameter(const at::Tensor& values) {
  if (!values.defined()) return nullptr;
  parameters_.push_back(values.to(at::TensorOptions(at::kFloat).device(device_)).contiguous());
  return parameters_.back().const_data_ptr<float>();
}

cuda::Filter CudaPlan::filter(const at::Tensor& matrix) {
  return {parameter(nn::chunked(matrix)), nullptr, static_cast<int>(matrix.size(0)),
          static_cast<int>(matrix.size(1))};
}

// ------------------------------------------------------------------------------------------- kernels

void CudaPlan::convolve(const cuda::Filter& filter, const cuda::Windows& windows,
                        const cuda::Results& results, const cuda::ColumnNorm& norm) {
  add([=](const cuda::Streams& streams, bool overlap, void* stream) {
    return cuda::convolve(filter, windows, streams, norm, results, overlap, stream);
  });
}

Signal CudaPlan::convolve(const nn::Conv& conv, const Signal& x, const Wanted& wanted, bool repeat_first) {
  cuda::Windows windows;
  windows.steps = conv.elu() ? x.active : x.plain;
  windows.count = x.steps;
  windows.channels = static_cast<int>(conv.in_channels());
  windows.kernel = static_cast<int>(conv.kernel());
  windows.stride = static_cast<int>(conv.stride());
  windows.dilation = static_cast<int>(conv.dilation());
  windows.repeat_first = repeat_first;
  windows.past = remember(int64_t{2} * windows.remembered());
  const int64_t rows = conv.linear().outputs();
  const int64_t columns = windows.columns();
  const int64_t values = columns * rows;
  Signal y;
  y.steps = windows.columns() * static_cast<int>(conv.outputs());
  y.channels = static_cast<int>(rows / conv.outputs());
  y.plain = wanted.plain ? take(values) : nullptr;
  y.active = wanted.active ? take(values) : nullptr;
  cuda::Results results;
  results.residual = wanted.residual;
  results.plain = y.plain;
  results.active = y.active;
  results.alpha = static_cast<float>(wanted.alpha);
  convolve(conv.linear().filter(), windows, results);
  return y;
}

Signal CudaPlan::add(const nn::Conv& conv, const Signal& x, bool repeat_first) {
  return convolve(conv, x, {}, repeat_first);
}

Signal CudaPlan::add(const cuda::Filter& filter, const Signal& x) {
  cuda::Windows windows;
  windows.steps = x.plain;
  windows.count = x.steps;
  windows.channels = x.channels;
  cuda::Results results;
  results.plain = take(static_cast<int64_t>(x.steps) * filter.rows);
  convolve(filter, windows, results);
  return {results.plain, nullptr, x.steps, filter.rows};
}

Signal CudaPlan::add(const Seanet& seanet, Signal x) {
  const std::vector<Seanet::Layer>& layers = seanet.layers();
  for (size_t i = 0; i < layers.size(); ++i) {
    const Seanet::Layer& layer = layers[i];
    const bool last = i + 1 == layers.size();
    Wanted wanted;
    wanted.plain = last || layers[i + 1].pointwise.has_value();
    wanted.active = !last;
    wanted.alpha = last ? 1 : layers[i + 1].conv.elu().value_or(1);
    Signal y;
    if (!layer.pointwise) {
      y = convolve(layer.conv, x, wanted);
      for (float* buffer : {x.plain, x.active}) release(buffer);
    } else {
      Wanted between;
      between.plain = false;
      between.active = true;
      between.alpha = layer.pointwise->elu().value_or(1);
      const Signal hidden = convolve(layer.conv, x, between);
      const Signal shortcut = layer.shortcut ? convolve(*layer.shortcut, x, {}) : Signal{};
      wanted.residual = layer.shortcut ? shortcut.plain : x.plain;
      // What is read no more, or only added, has room for the result.
      for (float* buffer : {x.plain, x.active, shortcut.plain}) release(buffer);
      y = convolve(*layer.pointwise, hidden, wanted);
      release(hidden.active);
    }
    x = y;
  }
  return x;
}

cuda::ColumnNorm CudaPlan::norm(const nn::NormLayer& layer, float* normed) {
  return {parameter(layer.weight()), parameter(layer.bias()), static_cast<float>(layer.epsilon()), normed};
}

void CudaPlan::add(const nn::Transformer& transformer, const Signal& x) {
  const checkpoint::TransformerConfig& config = transformer.config();
  const int dim = config.dim;
  const int hidden = config.dim_feedforward.front();
  cuda::Ring ring;
  ring.heads = config.num_heads;
  ring.head_dim = dim / config.num_heads;
  ring.context = config.context;
  const int64_t history = static_cast<int64_t>(config.context) * dim;
  const int steps = x.steps;
  float* qkv = take(int64_t{3} * dim * steps);
  float* attended = take(static_cast<int64_t>(dim) * steps);
  float* normed = take(static_cast<int64_t>(dim) * steps);
  float* between = take(static_cast<int64_t>(hidden) * steps);
  const auto product = [&](const nn::Linear& linear, const float* from, int channels,
                           const cuda::Results& results, const cuda::ColumnNorm& norm = {}) {
    cuda::Windows windows;
    windows.steps = from;
    windows.count = steps;
    windows.channels = channels;
    convolve(linear.filter(), windows, results, norm);
  };
  for (const nn::Transformer::Layer& layer : transformer.layers()) {
    cuda::Results to_qkv;
    to_qkv.plain = qkv;
    product(layer.in_projs.front(), x.plain, dim, to_qkv, norm(layer.norm1, normed));
    ring.keys = remember(history);
    ring.values = remember(history);
    const cuda::Rotation rotation = transformer.rotation();
    const auto period = static_cast<float>(config.max_period);
    add([=](const cuda::Streams& streams, bool overlap, void* stream) {
      return cuda::attend_ring(qkv, steps, ring, rotation, period, streams, attended, overlap, stream);
    });
    cuda::Results to_x;
    to_x.plain = x.plain;
    to_x.residual = x.plain;
    to_x.scale = parameter(layer.scale1);
    product(layer.out_projs.front(), attended, dim, to_x);

    cuda::Results to_between;
    to_between.active = between;
    to_between.curve = cuda::Curve::Gelu;
    product(layer.feed_forwards.front().in(), x.plain, dim, to_between, norm(layer.norm2, normed));
    to_x.scale = parameter(layer.scale2);
    product(layer.feed_forwards.front().out(), between, hidden, to_x);
  }
  for (float* buffer : {qkv, attended, normed, between}) release(buffer);
}

void CudaPlan::launch(const cuda::Streams& streams, const cuda::Stream& stream) const {
  // The first waits for what came before, which may be a copy.
  bool overlap = false;
  for (const Kernel& kernel : kernels_) {
    cuda::check(kernel(streams, overlap, stream.get()), "a frame of the codec");
    overlap = stream.can_overlap();
  }
}

}  // namespace moshi::mimi
