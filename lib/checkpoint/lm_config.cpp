// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/lm_config.h"

#include <algorithm>
#include <numeric>

#include "checkpoint/text_file.h"
#include "checkpoint/transformer_config.h"

namespace moshi::checkpoint {
namespace {

constexpr int kMaxStreams = 1024;
constexpr int kMaxDelay = 4096;
constexpr int kMaxCard = 1 << 24;

/// Width of a feed-forward. Source: LMModel.__init__, int(hidden_scale * dim).
int scaled(Section& section, int dim) {
  return std::max(1, static_cast<int>(section.number("hidden_scale", 4, 0.01, 64) * dim));
}

void reject_unsupported(Section& section) {
  if (section.boolean("lora", false))
    section.unsupported("lora", "LoRA weights are not supported; fuse them into the model first");
  for (const char* key : {"demux_second_text_stream", "demux_second_stream"})
    if (section.boolean(key, false))
      section.unsupported(key, "models with a second text stream are not supported");
  if (section.boolean("cross_attention", false))
    section.unsupported("cross_attention", "models with cross attention are not supported");
  if (!section.boolean("causal", true)) section.unsupported("causal", "only causal models can stream");
  // Known, and without effect on inference here.
  section.ignore({"lora_rank", "lora_scaling", "gradient_checkpointing", "depformer_causal",
                  "depformer_context", "depformer_cross_attention"});
}

void read_streams(Section& section, LmConfig& config) {
  config.quantize = section.boolean("quantize", false);
  config.n_q = section.integer("n_q", 8, 0, kMaxStreams);
  config.dep_q = section.integer("dep_q", 8, 0, config.n_q);
  config.card = section.integer("card", 1024, 1, 1 << 16);
  config.text_card = section.integer("text_card", 32000, 1, kMaxCard);
  config.text_card_out = section.optional_integer("text_card_out", 1, kMaxCard).value_or(config.text_card);
  config.text_padding_id = section.integer("existing_text_padding_id", 3, 0, kMaxCard);
  config.text_end_padding_id = section.integer("existing_text_end_padding_id", 0, 0, kMaxCard);
  config.delays = section.integers("delays", {0}, 0, kMaxDelay);
  if (config.delays.size() != static_cast<size_t>(config.n_q) + 1)
    section.unsupported("delays", "expected " + std::to_string(config.n_q + 1) + " values (n_q + 1), found " +
                                      std::to_string(config.delays.size()));
  config.norm_emb = section.boolean("norm_emb", false);
  config.bias_proj = section.boolean("bias_proj", false);
  config.extra_heads = section.integer("extra_heads_num_heads", 0, 0, kMaxStreams);
  config.extra_heads_dim = section.integer("extra_heads_dim", 6, 1, kMaxCard);
}

void read_temporal(Section& section, TransformerConfig& config) {
  section.require("num_layers");
  config.dim = section.integer("dim", 128);
  config.num_heads = section.integer("num_heads", 8, 1, 1 << 12);
  read_shared_options(section, "", config);
  config.dim_feedforward = {scaled(section, config.dim)};
  config.context = section.optional_integer("context").value_or(0);
  config.norm = section.choice("norm", Norm::LayerNorm, norm_names());
  config.position = section.choice("positional_embedding", PositionEmbedding::Sin, position_names());
  check_transformer(config, section, "");
}

/// The weight set of each step, empty for one set.
std::vector<int> read_schedule(Section& section, int dep_q) {
  const std::string key = "depformer_weights_per_step_schedule";
  const bool per_step = section.boolean("depformer_weights_per_step", false);
  section.ignore({key});
  std::vector<int> schedule(dep_q);
  std::iota(schedule.begin(), schedule.end(), 0);
  if (!section.has(key)) return per_step ? schedule : std::vector<int>();
  schedule = section.integers(key, {}, 0, kMaxStreams);
  if (schedule.size() != static_cast<size_t>(dep_q))
    section.unsupported(key, "expected dep_q values, " + std::to_string(dep_q) + ", found " +
                                 std::to_string(schedule.size()));
  if (!per_step && dep_q > 0) section.unsupported(key, "it needs depformer_weights_per_step true");
  return schedule;
}

std::vector<int> read_depth_feedforward(Section& section, const TransformerConfig& depth) {
  const std::string key = "depformer_dim_feedforward";
  section.ignore({key});
  if (!section.has(key)) return {scaled(section, depth.dim)};
  if (!section.raw(key).is_array()) return {section.integer(key, 0)};
  std::vector<int> sizes = section.integers(key, {}, 1, kMaxSize);
  if (sizes.size() != static_cast<size_t>(depth.weight_sets()) || depth.schedule.empty())
    section.unsupported(key, "expected a number, or one for each weight set (" +
                                 std::to_string(depth.weight_sets()) + "), found " +
                                 std::to_string(sizes.size()));
  return sizes;
}

/// `config.temporal` must be read: the depth transformer inherits from it.
void read_depth(Section& section, LmConfig& config) {
  const std::string prefix = "depformer_";
  TransformerConfig& depth = config.depth;
  depth = config.temporal;
  read_shared_options(section, prefix, depth);
  depth.dim = section.integer(prefix + "dim", 256);
  depth.context = 0;
  depth.position = section.choice(prefix + "pos_emb", PositionEmbedding::Sin, position_names());
  depth.schedule = read_schedule(section, config.dep_q);
  depth.dim_feedforward = read_depth_feedforward(section, depth);
  config.depformer_multi_linear = section.boolean(prefix + "multi_linear", false);
  config.depformer_low_rank_embeddings =
      section.optional_integer(prefix + "low_rank_embeddings", 0).value_or(0);
  if (section.has(prefix + "norm"))
    config.depformer_norm = section.choice(prefix + "norm", depth.norm, norm_names());
  section.ignore({prefix + "norm"});
  if (config.dep_q > 0) section.require(prefix + "num_heads");
  depth.num_heads = section.optional_integer(prefix + "num_heads", 1, 1 << 12).value_or(1);
  if (config.dep_q == 0) return;
  if (!depth.schedule.empty() && depth.gating == Gating::None)
    section.unsupported(prefix + "weights_per_step", "it needs a gating");
  check_transformer(depth, section, prefix);
}

ConditionerConfig read_conditioner(Section section, const std::string& name) {
  ConditionerConfig config;
  config.name = name;
  section.require("type");
  config.type = section.text("type");
  if (config.type != "lut") section.unsupported("type", "only lut conditioners are supported");
  Section lut = section.section("lut");
  lut.require("dim");
  lut.require("n_bins");
  config.dim = lut.integer("dim", 0);
  config.n_bins = lut.integer("n_bins", 0);
  config.possible_values = lut.texts("possible_values");
  if (config.possible_values.size() > static_cast<size_t>(config.n_bins))
    lut.unsupported("n_bins", "fewer than the possible_values");
  if (lut.text("tokenizer") != "noop") lut.unsupported("tokenizer", "only noop is supported");
  if (!lut.boolean("force_linear", true)) lut.unsupported("force_linear", "only true is supported");
  if (!lut.boolean("learn_padding", true)) lut.unsupported("learn_padding", "only true is supported");
  if (lut.boolean("output_bias", false)) lut.unsupported("output_bias", "only false is supported");
  lut.ignore({"init_scale", "pad_empty"});
  lut.finish();
  section.finish();
  return config;
}

void read_conditions(Section& section, LmConfig& config) {
  section.ignore({"conditioners", "fuser"});
  if (section.has("conditioners")) {
    Section conditioners = section.section("conditioners");
    for (const auto& [name, value] : section.raw("conditioners").items())
      config.conditioners.push_back(read_conditioner(conditioners.section(name), name));
  }
  if (!section.has("fuser")) return;
  Section fuser = section.section("fuser");
  config.fuse_sum = fuser.texts("sum");
  config.fuse_cross = fuser.texts("cross");
  if (!config.fuse_cross.empty())
    fuser.unsupported("cross", "conditions by cross attention are not supported");
  if (!fuser.texts("prepend").empty()) fuser.unsupported("prepend", "conditions are not supported there");
  for (const std::string& name : config.fuse_sum)
    if (std::ranges::none_of(config.conditioners, [&](const auto& known) { return known.name == name; }))
      fuser.unsupported("sum", "there is no conditioner " + printable(name));
  fuser.ignore({"cross_attention_pos_emb", "cross_attention_pos_emb_scale"});
  fuser.finish();
}

}  // namespace

LmConfig read_lm_config(Section& section) {
  LmConfig config;
  reject_unsupported(section);
  read_streams(section, config);
  read_temporal(section, config.temporal);
  read_depth(section, config);
  read_conditions(section, config);
  return config;
}

}  // namespace moshi::checkpoint
