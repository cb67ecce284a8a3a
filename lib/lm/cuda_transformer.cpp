// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/cuda_transformer.h"

#include <algorithm>

namespace moshi::lm {
namespace {

using checkpoint::Gating;
using checkpoint::PositionEmbedding;
using checkpoint::TransformerConfig;

cuda::Activation activation_of(Gating gating) {
  switch (gating) {
    case Gating::Silu:
      return cuda::Activation::Silu;
    case Gating::Relu:
      return cuda::Activation::Relu;
    case Gating::Sigmoid:
      return cuda::Activation::Sigmoid;
    case Gating::Tanh:
      return cuda::Activation::Tanh;
    case Gating::LeakyRelu:
      return cuda::Activation::LeakyRelu;
    case Gating::Elu:
      return cuda::Activation::Elu;
    case Gating::Mish:
      return cuda::Activation::Mish;
    case Gating::Softsign:
      return cuda::Activation::Softsign;
    case Gating::Identity:
      return cuda::Activation::Identity;
    case Gating::Gelu:
    case Gating::None:
      break;
  }
  return cuda::Activation::Gelu;
}

/// Features between the matrices of a feed-forward.
int hidden_of(const TransformerConfig& config, int width) {
  return config.gating == Gating::None ? width : static_cast<int>(nn::gating_hidden(config.dim, width));
}

}  // namespace

const float* CudaParameters::floats(const at::Tensor& values) {
  if (!values.defined()) return nullptr;
  kept_.push_back(values.to(at::kFloat).contiguous());
  return kept_.back().const_data_ptr<float>();
}

cuda::Norm CudaParameters::norm(const nn::NormLayer& layer) {
  return {false, layer.has_mean(), static_cast<float>(layer.epsilon()), floats(layer.weight()),
          floats(layer.bias())};
}

at::Tensor column_buffer(int64_t features, at::ScalarType type, at::Device device) {
  return at::zeros({kMostColumns * features}, at::TensorOptions(type).device(device));
}

cuda::Activations as_activations(const at::Tensor& buffer, int64_t depth, int columns) {
  return {buffer.data_ptr(), columns, static_cast<int>(depth)};
}

at::ScalarType operand_of(cuda::Element element) {
  return element == cuda::Element::F32    ? at::kFloat
         : element == cuda::Element::BF16 ? at::kBFloat16
                                          : at::kHalf;
}

std::string CudaTransformer::obstacle(const std::string& part, const TransformerConfig& config) {
  const auto is_not = [&](const char* what, int found) {
    return part + " " + what + " " + std::to_string(found);
  };
  const int head_dim = config.dim / config.num_heads;
  if (head_dim != 32 && head_dim != 64 && head_dim != 128) return is_not("head dimension", head_dim);
  if (config.dim % cuda::kTileDepth != 0) return is_not("dimension", config.dim);
  for (const int width : config.dim_feedforward) {
    const int hidden = hidden_of(config, width);
    if (hidden % cuda::kTileDepth != 0) return is_not("feed-forward", hidden);
  }
  if (config.position == PositionEmbedding::Sin || config.position == PositionEmbedding::SinRope) {
    return part + " sinusoidal positions";
  }
  return {};
}

CudaTransformer::CudaTransformer(const nn::Transformer& model, cuda::Element element, int* overflows,
                                 at::Device device)
    : model_(&model), element_(element), overflows_(overflows) {
  const TransformerConfig& config = model.config();
  const int head_dim = config.dim / config.num_heads;
  const int kv_heads = config.num_heads / config.kv_repeat;
  attention_ = {config.num_heads, config.context, model.rotation(), static_cast<float>(config.max_period)};
  pages_.stored = model.int8_kv()                  ? cuda::Stored::Int8
                  : model.dtype() == at::kBFloat16 ? cuda::Stored::BF16
                                                   : cuda::Stored::F32;
  pages_.heads = kv_heads;
  pages_.head_dim = head_dim;
  for (const nn::Transformer::Layer& layer : model.layers()) {
    layers_.push_back({parameters_.norm(layer.norm1), parameters_.norm(layer.norm2),
                       parameters_.floats(layer.scale1), parameters_.floats(layer.scale2)});
  }
  int hidden = 0;
  for (const int width : config.dim_feedforward) hidden = std::max(hidden, hidden_of(config, width));
  const at::ScalarType operand = operand_of(element);
  residual_ = column_buffer(config.dim, at::kFloat, device);
  normed_ = column_buffer(config.dim, operand, device);
  qkv_ = column_buffer(static_cast<int64_t>(config.num_heads + 2 * kv_heads) * head_dim, at::kFloat, device);
  attended_ = column_buffer(config.dim, operand, device);
  gated_ = column_buffer(hidden, operand, device);
  const int positions = config.context > 0 ? config.context : cuda::kPagePositions;
  partial_ = at::zeros({cuda::attention_scratch(kMostColumns, config.num_heads, head_dim, positions)},
                       at::TensorOptions(at::kFloat).device(device));
  arrivals_ = column_buffer(config.num_heads, at::kInt, device);
}

void CudaTransformer::set_pages(const int64_t* table, int pages_a_slot, bool settled) {
  pages_.table = table;
  pages_.pages_a_slot = pages_a_slot;
  pages_.settled = settled;
}

int64_t CudaTransformer::page_bytes() const {
  return static_cast<int64_t>(layers_.size()) * 2 * pages_.heads *
         cuda::bytes_of_head(pages_.stored, pages_.head_dim);
}

int64_t CudaTransformer::entry_bytes() const {
  return cuda::bytes_of_head(pages_.stored, pages_.head_dim) / cuda::kPagePositions;
}

void CudaTransformer::launch(const int* slots, const int* positions, int set_step, int longest, int columns,
                             const cuda::Stream& stream) const {
  const TransformerConfig& config = model_->config();
  const size_t set = model_->set_of(set_step);
  const bool overlap = stream.can_overlap();
  const bool recent = cuda::recent_takes(attention_, pages_, longest);
  const auto run = [](int status) { cuda::check(status, "the language model's step"); };
  auto* input = residual();
  auto* qkv = qkv_.mutable_data_ptr<float>();
  const cuda::Activations normed = as_activations(normed_, config.dim, columns);
  const cuda::Activations attended = as_activations(attended_, config.dim, columns);
  const cuda::Scratch scratch{partial_.mutable_data_ptr<float>(), arrivals_.mutable_data_ptr<int>()};
  cuda::Output add;
  add.kind = cuda::Output::Kind::Add;
  add.values = input;
  add.stride = config.dim;
  add.overflows = overflows_;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const nn::Transformer::Layer& layer = model_->layers()[i];
    const Layer& small = layers_[i];
    const nn::Linear& in = layer.in_projs[std::min(set, layer.in_projs.size() - 1)];
    const nn::Linear& out = layer.out_projs[std::min(set, layer.out_projs.size() - 1)];
    const nn::FeedForward& feed_forward = layer.feed_forwards[std::min(set, layer.feed_forwards.size() - 1)];
    cuda::Output store;
    store.values = qkv;
    store.stride = static_cast<int>(in.outputs());
    store.overflows = overflows_;
    run(cuda::multiply_normed(in.matrix(), input, small.norm1, normed, store, overlap, stream.get()));
    add.scale = small.scale1;
    const int index = static_cast<int>(i);
    if (recent) {
      const cuda::Recent past{qkv, attention_, pages_, index, slots, positions};
      run(cuda::multiply_attended(out.matrix(), past, attended, add, overlap, stream.get()));
    } else {
      run(cuda::attend(qkv, attention_, pages_, index, slots, positions, longest, scratch, attended, element_,
                       overflows_, overlap, stream.get()));
      run(cuda::multiply(out.matrix(), attended, add, overlap, stream.get()));
    }

    const cuda::Matrix down = feed_forward.out().matrix();
    cuda::Output gate;
    gate.kind = config.gating == Gating::None ? cuda::Output::Kind::Activate : cuda::Output::Kind::Gate;
    gate.activation = activation_of(config.gating);
    gate.next = as_activations(gated_, down.depth, columns);
    gate.overflows = overflows_;
    run(cuda::multiply_normed(feed_forward.in().matrix(), input, small.norm2, normed, gate, overlap,
                              stream.get()));
    add.scale = small.scale2;
    run(cuda::multiply(down, gate.next, add, overlap, stream.get()));
  }
}

}  // namespace moshi::lm
