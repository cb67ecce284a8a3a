// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A small codec with random weights for the tests of this directory.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/safetensors.h"
#include "mimi/codec.h"

namespace moshi::mimi {

/// Random tensors of any name, which it remembers; the same on any device. Gains are near one, everything
/// else is centred.
class RememberingSource final : public nn::TensorSource {
 public:
  explicit RememberingSource(uint64_t seed, at::Device device = at::kCPU)
      : TensorSource(at::TensorOptions(at::kFloat).device(device)) {
    at::manual_seed(seed);
  }
  [[nodiscard]] bool has(const std::string& name) const override { return tensors.contains(name); }
  at::Tensor load(const std::string& name, at::IntArrayRef shape, std::optional<at::ScalarType>) override {
    const bool gain =
        name.find("norm") != std::string::npos || name.ends_with("scale") || name.ends_with("usage");
    const double fan_in = shape.size() < 2 ? 10 : static_cast<double>(c10::multiply_integers(shape.slice(1)));
    at::Tensor tensor = gain ? at::rand(shape) + 0.5 : at::randn(shape) / std::sqrt(fan_in);
    bytes_ += tensor.nbytes();
    return tensors[name] = tensor.to(options().device());
  }

  std::map<std::string, at::Tensor> tensors;
};

/// Two latents a frame, one stage, 4 + 2 codebooks: 40 samples a frame.
inline checkpoint::MimiConfig small_config() {
  checkpoint::MimiConfig config;
  config.sample_rate = 1000;
  config.frame_rate = 25;
  config.dimension = 16;
  config.n_filters = 4;
  config.ratios = {5, 4};
  config.n_residual_layers = 2;
  config.quantizer_dimension = 8;
  config.n_q = 6;
  config.n_q_semantic = 2;
  config.bins = 40;
  config.transformer.dim = 16;
  config.transformer.num_heads = 2;
  config.transformer.num_layers = 2;
  config.transformer.dim_feedforward = {24};
  config.transformer.context = 10;
  config.transformer.position = checkpoint::PositionEmbedding::Rope;
  config.transformer.layer_scale = 0.01;
  return config;
}

/// Writes `tensors` under the names `rename` gives ("" leaves one out), as `dtype`.
inline void write_tensors(const std::string& path, const std::map<std::string, at::Tensor>& tensors,
                          const std::function<std::string(const std::string&)>& rename,
                          at::ScalarType dtype = at::kFloat) {
  std::vector<at::Tensor> alive;
  std::vector<checkpoint::TensorToWrite> list;
  for (const auto& [name, tensor] : tensors) {
    if (const std::string renamed = rename(name); !renamed.empty()) {
      alive.push_back(tensor.to(dtype).contiguous());
      const auto* data = static_cast<const std::byte*>(alive.back().const_data_ptr());
      list.push_back({renamed,
                      dtype == at::kFloat ? checkpoint::Dtype::F32 : checkpoint::Dtype::BF16,
                      tensor.sizes().vec(),
                      {data, alive.back().nbytes()}});
    }
  }
  checkpoint::write_safetensors(path, list);
}

}  // namespace moshi::mimi
