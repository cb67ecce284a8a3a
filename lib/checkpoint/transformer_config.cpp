// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/transformer_config.h"

namespace moshi::checkpoint {
namespace {

const std::vector<std::pair<std::string_view, Gating>>& gating_names() {
  static const std::vector<std::pair<std::string_view, Gating>> names = {{"none", Gating::None},
                                                                         {"silu", Gating::Silu},
                                                                         {"gelu", Gating::Gelu},
                                                                         {"relu", Gating::Relu},
                                                                         {"sigmoid", Gating::Sigmoid},
                                                                         {"tanh", Gating::Tanh},
                                                                         {"leaky_relu", Gating::LeakyRelu},
                                                                         {"elu", Gating::Elu},
                                                                         {"mish", Gating::Mish},
                                                                         {"softsign", Gating::Softsign},
                                                                         {"identity", Gating::Identity}};
  return names;
}

}  // namespace

const std::vector<std::pair<std::string_view, Norm>>& norm_names() {
  static const std::vector<std::pair<std::string_view, Norm>> names = {{"layer_norm", Norm::LayerNorm},
                                                                       {"layer_norm_f32", Norm::LayerNormF32},
                                                                       {"rms_norm", Norm::RmsNorm},
                                                                       {"rms_norm_f32", Norm::RmsNormF32}};
  return names;
}

const std::vector<std::pair<std::string_view, PositionEmbedding>>& position_names() {
  static const std::vector<std::pair<std::string_view, PositionEmbedding>> names = {
      {"none", PositionEmbedding::None},
      {"sin", PositionEmbedding::Sin},
      {"rope", PositionEmbedding::Rope},
      {"sin_rope", PositionEmbedding::SinRope},
      {"rope_concat", PositionEmbedding::RopeConcat}};
  return names;
}

void read_shared_options(Section& section, const std::string& prefix, TransformerConfig& config) {
  config.num_layers = section.integer(prefix + "num_layers", config.num_layers, 1, 1024);
  config.max_period = section.number(prefix + "max_period", config.max_period, 1, 1e9);
  config.positional_scale = section.number(prefix + "positional_scale", config.positional_scale);
  config.gating = section.choice(prefix + "gating", config.gating, gating_names());
  config.layer_scale = section.nullable_number(prefix + "layer_scale", config.layer_scale);
  config.kv_repeat = section.integer(prefix + "kv_repeat", config.kv_repeat, 1, 1024);
  section.ignore({prefix + "betas"});
}

void check_transformer(const TransformerConfig& config, const Section& section, const std::string& keys) {
  const auto fail = [&](const std::string& problem) { section.unsupported(keys + "num_heads", problem); };
  if (config.dim % config.num_heads != 0)
    fail("a width of " + std::to_string(config.dim) + " is not divisible by it");
  if (config.num_heads % config.kv_repeat != 0)
    fail("not divisible by kv_repeat " + std::to_string(config.kv_repeat));
  const bool sin = config.position == PositionEmbedding::Sin || config.position == PositionEmbedding::SinRope;
  const bool rope = config.position != PositionEmbedding::None && config.position != PositionEmbedding::Sin;
  if (rope && config.dim / config.num_heads % 2 != 0) fail("rope needs heads of an even width");
  if (sin && config.dim % 2 != 0) fail("the sin embedding needs an even width");
}

}  // namespace moshi::checkpoint
