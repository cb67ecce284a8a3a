// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/transformer.h"

#include <algorithm>
#include <utility>

#include "moshi/moshi.h"

namespace moshi::nn {
namespace {

using checkpoint::Gating;
using checkpoint::PositionEmbedding;

/// Fewest ring entries allocated; rings double from here as conversations grow.
constexpr int64_t kFirstPositions = 64;

at::Tensor to_device(const std::vector<int64_t>& values, at::IntArrayRef shape, at::Device device) {
  return at::tensor(values, at::kLong).view(shape).to(device, /*non_blocking=*/true);
}

bool uses_rope(PositionEmbedding position) {
  return position == PositionEmbedding::Rope || position == PositionEmbedding::SinRope ||
         position == PositionEmbedding::RopeConcat;
}

std::vector<Linear> projections(const Weights& weights, const std::string& name, int sets,
                                at::IntArrayRef shape) {
  std::vector<Linear> layers;
  for (const Matrix& matrix : weights.projections(name, sets, shape)) {
    layers.emplace_back(matrix);
  }
  return layers;
}

}  // namespace

RingPlan plan_ring(const std::vector<int64_t>& offsets, int64_t steps, int64_t context) {
  RingPlan plan;
  for (const int64_t offset : offsets) {
    for (int64_t t = 0; t < steps; ++t) {
      plan.positions.push_back(offset + t);
      plan.writes.push_back(context > 0 ? (offset + t) % context : offset + t);
    }
    const int64_t filled = offset + steps;
    plan.visible = std::max(plan.visible, context > 0 ? std::min(filled, context) : filled);
  }
  plan.mask.reserve(plan.positions.size() * static_cast<size_t>(plan.visible));
  bool all = true;
  for (const int64_t offset : offsets) {
    const int64_t last = offset + steps - 1;
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t entry = 0; entry < plan.visible; ++entry) {
        // The newest stream position stored at this entry after the writes.
        const int64_t position = context > 0 ? last - ((last - entry) % context + context) % context : entry;
        const int64_t distance = offset + t - position;
        const bool seen =
            position >= 0 && position <= last && distance >= 0 && (context == 0 || distance < context);
        plan.mask.push_back(seen ? 1 : 0);
        all = all && seen;
      }
    }
  }
  if (all) {
    plan.mask.clear();
  }
  return plan;
}

/// What one call shares between its layers.
struct Transformer::Call {
  int64_t first_step = 0;  ///< Selects weight sets; equal for all rows where there are several.
  std::optional<Rope> rope;
  at::Tensor mask;           ///< Bool [B, 1, T, visible] or undefined.
  at::Tensor writes;         ///< [B, T], streaming only.
  int64_t visible = 0;       ///< Streaming only.
  int64_t first_write = -1;  ///< Ring entry where a single row's steps lie in one piece, else -1.
  const Rows* rows = nullptr;
};

Transformer::Transformer(checkpoint::TransformerConfig config, const Weights& weights)
    : config_(std::move(config)), options_(weights.options()) {
  const int64_t dim = config_.dim;
  head_dim_ = dim / config_.num_heads;
  kv_heads_ = config_.num_heads / config_.kv_repeat;
  const int sets = config_.weight_sets();
  if (config_.cross_attention) {
    throw Error(ErrorCode::Settings,
                "expected a model without cross attention, found cross_attention in config.json:"
                " this version cannot run it");
  }
  if (config_.gating == Gating::None && !config_.schedule.empty()) {
    throw Error(ErrorCode::Settings,
                "expected a gated feed-forward where weights differ per step, found gating none:"
                " set depformer_gating in config.json");
  }
  for (int i = 0; i < config_.num_layers; ++i) {
    const Weights layer = weights["layers"][std::to_string(i)];
    const Weights attention = layer["self_attn"];
    std::vector<FeedForward> feed_forwards;
    for (int set = 0; set < sets; ++set) {
      const auto& widths = config_.dim_feedforward;
      const int64_t width = widths.at(widths.size() == 1 ? 0 : static_cast<size_t>(set));
      const Weights scope = config_.gating == Gating::None ? layer
                            : config_.schedule.empty()     ? layer["gating"]
                                                           : layer["gating"][std::to_string(set)];
      feed_forwards.emplace_back(config_.gating, dim, width, scope);
    }
    const bool scaled = config_.layer_scale.has_value();
    layers_.push_back({projections(attention, "in_proj", sets, {dim + 2 * kv_heads_ * head_dim_, dim}),
                       projections(attention, "out_proj", sets, {dim, dim}),
                       NormLayer(config_.norm, dim, layer["norm1"]),
                       NormLayer(config_.norm, dim, layer["norm2"]), std::move(feed_forwards),
                       layer.get_if(scaled, "layer_scale_1.scale", {dim}),
                       layer.get_if(scaled, "layer_scale_2.scale", {dim})});
  }
}

Transformer::~Transformer() = default;
Transformer::Transformer(Transformer&&) noexcept = default;

TransformerState Transformer::make_state(int64_t slots) const {
  TransformerState state;
  const int64_t positions =
      config_.context > 0 ? std::min<int64_t>(config_.context, kFirstPositions) : kFirstPositions;
  for (size_t i = 0; i < layers_.size(); ++i) {
    for (auto* rings : {&state.keys, &state.values}) {
      rings->emplace_back(at::IntArrayRef{slots, positions, kv_heads_, head_dim_}, options_, int8_kv_);
    }
  }
  state.offsets.assign(static_cast<size_t>(slots), 0);
  return state;
}

void Transformer::grow(TransformerState& state, int64_t slots) const {
  for (auto* rings : {&state.keys, &state.values}) {
    for (KvRing& ring : *rings) ring.grow(slots);
  }
  state.offsets.resize(static_cast<size_t>(slots), 0);
}

void Transformer::lengthen(TransformerState& state, int64_t positions) const {
  if (state.keys.empty() || state.keys.front().positions() >= positions) {
    return;
  }
  int64_t length = std::max(positions, 2 * state.keys.front().positions());
  if (config_.context > 0) {
    length = std::min<int64_t>(length, config_.context);
  }
  for (auto* rings : {&state.keys, &state.values}) {
    for (KvRing& ring : *rings) ring.lengthen(length);
  }
}

uint64_t Transformer::position_bytes() const {
  const uint64_t of_vector = int8_kv_ ? static_cast<uint64_t>(head_dim_) + sizeof(float)
                                      : static_cast<uint64_t>(head_dim_) * options_.dtype().itemsize();
  return layers_.size() * 2 * static_cast<uint64_t>(kv_heads_) * of_vector;
}

size_t Transformer::set_of(int64_t step) const {
  return config_.schedule.empty() ? 0 : static_cast<size_t>(config_.schedule.at(static_cast<size_t>(step)));
}

void Transformer::tile() {
  for (Layer& layer : layers_) {
    for (auto* projections : {&layer.in_projs, &layer.out_projs}) {
      for (Linear& projection : *projections) {
        projection.tile();
      }
    }
    for (FeedForward& feed_forward : layer.feed_forwards) {
      feed_forward.tile();
    }
  }
}

cuda::Rotation Transformer::rotation() const {
  using checkpoint::PositionEmbedding;
  switch (config_.position) {
    case PositionEmbedding::Rope:
      return cuda::Rotation::Interleaved;
    case PositionEmbedding::RopeConcat:
      return cuda::Rotation::Halves;
    default:
      return cuda::Rotation::None;
  }
}

void Transformer::chunk() {
  for (Layer& layer : layers_) {
    for (auto* projections : {&layer.in_projs, &layer.out_projs}) {
      for (Linear& projection : *projections) projection.chunk();
    }
    for (FeedForward& feed_forward : layer.feed_forwards) feed_forward.chunk();
  }
}

at::Tensor Transformer::add_positions(const at::Tensor& x, const at::Tensor& positions) const {
  if (config_.position != PositionEmbedding::Sin && config_.position != PositionEmbedding::SinRope) {
    return x;
  }
  return x + sin_embedding(positions, config_.dim, config_.max_period, x.scalar_type()) *
                 config_.positional_scale;
}

at::Tensor Transformer::step(const at::Tensor& x, TransformerState& state, const Rows& rows) const {
  const int64_t batch = x.size(0);
  const int64_t steps = x.size(1);
  std::vector<int64_t> offsets;
  for (const int64_t slot : rows.slots()) {
    offsets.push_back(state.offsets[static_cast<size_t>(slot)]);
  }
  const RingPlan plan = plan_ring(offsets, steps, config_.context);
  lengthen(state, plan.visible);

  Call call;
  call.rows = &rows;
  call.first_step = offsets.front();
  call.visible = plan.visible;
  const bool in_one_piece = batch == 1 && plan.writes.back() - plan.writes.front() == steps - 1;
  if (in_one_piece) {
    call.first_write = plan.writes.front();
  } else {
    call.writes = to_device(plan.writes, {batch, steps}, x.device());
  }
  if (!plan.mask.empty()) {
    call.mask =
        at::tensor(plan.mask, at::kByte).view({batch, 1, steps, plan.visible}).to(x.device(), at::kBool);
  }
  at::Tensor y = x;
  if (config_.position != PositionEmbedding::None) {
    const at::Tensor positions = to_device(plan.positions, {batch, steps}, x.device());
    if (uses_rope(config_.position)) {
      call.rope = Rope::at_positions(positions, head_dim_, config_.max_period,
                                     config_.position != PositionEmbedding::RopeConcat);
    }
    y = add_positions(x, positions);
  }
  y = run(y, call, &state);
  for (const int64_t slot : rows.slots()) {
    state.offsets[static_cast<size_t>(slot)] += steps;
  }
  return y;
}

at::Tensor Transformer::forward(const at::Tensor& x) const {
  const int64_t steps = x.size(1);
  const at::Tensor positions = at::arange(steps, x.options().dtype(at::kLong)).unsqueeze(0);
  Call call;
  if (uses_rope(config_.position)) {
    call.rope = Rope::at_positions(positions, head_dim_, config_.max_period,
                                   config_.position != PositionEmbedding::RopeConcat);
  }
  if (config_.causal) {
    const at::Tensor distance = positions.transpose(0, 1) - positions;
    call.mask = distance >= 0;
    if (config_.context > 0) {
      call.mask = call.mask.logical_and(distance < config_.context);
    }
    call.mask = call.mask.unsqueeze(0).unsqueeze(0);
  }
  return run(add_positions(x, positions), call, nullptr);
}

at::Tensor Transformer::run(at::Tensor x, const Call& call, TransformerState* state) const {
  const int64_t steps = x.size(1);
  const auto scaled = [](const at::Tensor& update, const at::Tensor& scale) {
    return scale.defined() ? scale * update : update;
  };
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    x = x + scaled(attend(layer, i, layer.norm1(x), call, state), layer.scale1);
    const at::Tensor normed = layer.norm2(x);
    at::Tensor update;
    if (layer.feed_forwards.size() == 1) {
      update = layer.feed_forwards.front()(normed);
    } else {
      std::vector<at::Tensor> parts;
      for (int64_t t = 0; t < steps; ++t) {
        parts.push_back(layer.feed_forwards[set_of(call.first_step + t)](normed.narrow(1, t, 1)));
      }
      update = at::cat(parts, 1);
    }
    x = x + scaled(update, layer.scale2);
  }
  return x;
}

at::Tensor Transformer::attend(const Layer& layer, size_t index, const at::Tensor& x, const Call& call,
                               TransformerState* state) const {
  const int64_t batch = x.size(0);
  const int64_t steps = x.size(1);
  const int64_t heads = config_.num_heads;
  const auto project = [&](const std::vector<Linear>& sets, const at::Tensor& input) {
    if (sets.size() == 1) {
      return sets.front()(input);
    }
    std::vector<at::Tensor> parts;
    for (int64_t t = 0; t < steps; ++t) {
      parts.push_back(sets[set_of(call.first_step + t)](input.narrow(1, t, 1)));
    }
    return at::cat(parts, 1);
  };

  const at::Tensor qkv = project(layer.in_projs, x).view({batch, steps, heads + 2 * kv_heads_, head_dim_});
  at::Tensor q = qkv.narrow(2, 0, heads);
  at::Tensor k = qkv.narrow(2, heads, kv_heads_);
  at::Tensor v = qkv.narrow(2, heads + kv_heads_, kv_heads_);
  if (call.rope) {
    q = (*call.rope)(q);
    k = (*call.rope)(k);
  }
  if (state != nullptr) {
    KvRing& keys = state->keys[index];
    KvRing& values = state->values[index];
    if (call.first_write >= 0) {
      const int64_t slot = call.rows->slots().front();
      keys.write(slot, call.first_write, k[0]);
      values.write(slot, call.first_write, v[0]);
    } else {
      keys.write(*call.rows, call.writes, k);
      values.write(*call.rows, call.writes, v);
    }
    k = keys.read(*call.rows, call.visible);
    v = values.read(*call.rows, call.visible);
  }
  if (config_.kv_repeat > 1) {
    k = k.repeat_interleave(config_.kv_repeat, 2);
    v = v.repeat_interleave(config_.kv_repeat, 2);
  }
  const std::optional<at::Tensor> mask = call.mask.defined() ? std::optional(call.mask) : std::nullopt;
  const at::Tensor out =
      at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), mask);
  return project(layer.out_projs, out.transpose(1, 2).reshape({batch, steps, config_.dim}));
}

}  // namespace moshi::nn
