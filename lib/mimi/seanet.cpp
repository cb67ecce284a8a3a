// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/seanet.h"

#include <string>
#include <utility>

namespace moshi::mimi {
namespace {

nn::Conv load_conv(const nn::Weights& weights, int64_t in, int64_t out, int64_t kernel,
                   const nn::ConvOptions& options) {
  const nn::Weights conv = weights["conv.conv"];
  return {conv.get("weight", {out, in, kernel}), conv.get("bias", {out}), options};
}

nn::Conv load_transposed(const nn::Weights& weights, int64_t in, int64_t out, int64_t kernel,
                         const nn::ConvOptions& options) {
  const nn::Weights conv = weights["convtr.convtr"];
  return nn::Conv::transposed(conv.get("weight", {in, out, kernel}), conv.get("bias", {out}), options);
}

/// dilation_base to the power of a residual block's place in its stage.
int64_t dilation_of(const checkpoint::MimiConfig& config, int block) {
  int64_t dilation = 1;
  for (int i = 0; i < block; ++i) {
    dilation *= config.dilation_base;
  }
  return dilation;
}

}  // namespace

Seanet::Layer Seanet::residual_block(const checkpoint::MimiConfig& config, const nn::Weights& weights,
                                     int64_t width, int64_t dilation) {
  const int64_t hidden = width / config.compress;
  const nn::Weights block = weights["block"];  // Entries 0 and 2 are the ELUs.
  Layer layer{
      load_conv(block["1"], width, hidden, config.residual_kernel_size, {1, dilation, config.elu_alpha}),
      load_conv(block["3"], hidden, width, 1, {1, 1, config.elu_alpha}), std::nullopt};
  if (!config.true_skip) {
    layer.shortcut = load_conv(weights["shortcut"], width, width, 1, {});
  }
  return layer;
}

Seanet Seanet::encoder(const checkpoint::MimiConfig& config, const nn::Weights& weights) {
  int index = 0;
  const auto next = [&] { return weights["model"][std::to_string(index++)]; };
  Seanet seanet;
  int64_t width = config.n_filters;
  seanet.layers_.push_back({load_conv(next(), config.channels, width, config.kernel_size, {}), {}, {}});
  const std::vector<int> ratios(config.ratios.rbegin(), config.ratios.rend());
  for (const int ratio : ratios) {
    for (int block = 0; block < config.n_residual_layers; ++block) {
      seanet.layers_.push_back(residual_block(config, next(), width, dilation_of(config, block)));
    }
    ++index;  // ELU
    seanet.layers_.push_back(
        {load_conv(next(), width, 2 * width, int64_t{2} * ratio, {ratio, 1, config.elu_alpha}), {}, {}});
    width *= 2;
  }
  ++index;  // ELU
  seanet.layers_.push_back(
      {load_conv(next(), width, config.dimension, config.last_kernel_size, {1, 1, config.elu_alpha}),
       {},
       {}});
  return seanet;
}

Seanet Seanet::decoder(const checkpoint::MimiConfig& config, const nn::Weights& weights) {
  int index = 0;
  const auto next = [&] { return weights["model"][std::to_string(index++)]; };
  Seanet seanet;
  int64_t width = static_cast<int64_t>(config.n_filters) << config.ratios.size();
  seanet.layers_.push_back({load_conv(next(), config.dimension, width, config.kernel_size, {}), {}, {}});
  for (const int ratio : config.ratios) {
    ++index;  // ELU
    seanet.layers_.push_back(
        {load_transposed(next(), width, width / 2, int64_t{2} * ratio, {ratio, 1, config.elu_alpha}),
         {},
         {}});
    width /= 2;
    for (int block = 0; block < config.n_residual_layers; ++block) {
      seanet.layers_.push_back(residual_block(config, next(), width, dilation_of(config, block)));
    }
  }
  ++index;  // ELU
  seanet.layers_.push_back(
      {load_conv(next(), width, config.channels, config.last_kernel_size, {1, 1, config.elu_alpha}), {}, {}});
  return seanet;
}

void Seanet::chunk() {
  for (Layer& layer : layers_) {
    layer.conv.chunk();
    if (layer.pointwise) layer.pointwise->chunk();
    if (layer.shortcut) layer.shortcut->chunk();
  }
}

std::vector<at::Tensor> Seanet::make_history(int64_t slots) const {
  std::vector<at::Tensor> history;
  for (const Layer& layer : layers_) {
    history.push_back(layer.conv.make_history(slots));
  }
  return history;
}

at::Tensor Seanet::operator()(at::Tensor x, std::vector<at::Tensor>& history, const nn::Rows& rows) const {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    at::Tensor y = layer.conv(x, history[i], rows);
    if (layer.pointwise) {
      y = (*layer.pointwise)(y).add_(layer.shortcut ? (*layer.shortcut)(x) : x);
    }
    x = std::move(y);
  }
  return x;
}

}  // namespace moshi::mimi
