// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <cmath>
#include <functional>
#include <numeric>

#include "checkpoint/config.h"
#include "checkpoint/transformer_config.h"

namespace moshi::checkpoint {
namespace {

/// Defaults: moshi/modules/seanet.py, SEANetEncoder.__init__ and SEANetDecoder.__init__.
void read_seanet(Section section, MimiConfig& config) {
  config.dimension = section.integer("dimension", 128);
  config.n_filters = section.integer("n_filters", 32, 1, 1 << 12);
  config.n_residual_layers = section.integer("n_residual_layers", 3, 0, 16);
  config.ratios = section.integers("ratios", {8, 5, 4, 2}, 1, 1 << 10);
  config.kernel_size = section.integer("kernel_size", 7, 1, 1 << 10);
  config.residual_kernel_size = section.integer("residual_kernel_size", 3, 1, 1 << 10);
  config.last_kernel_size = section.integer("last_kernel_size", 7, 1, 1 << 10);
  config.dilation_base = section.integer("dilation_base", 2, 1, 16);
  config.compress = section.integer("compress", 2, 1, config.n_filters);
  config.true_skip = section.boolean("true_skip", true);
  if (section.integer("channels", 1) != 1) section.unsupported("channels", "only mono codecs are supported");
  if (section.text("activation", "ELU") != "ELU") section.unsupported("activation", "only ELU is supported");
  if (section.has("activation_params")) {
    Section parameters = section.section("activation_params");
    config.elu_alpha = parameters.number("alpha", 1);
    parameters.finish();
  }
  if (section.text("norm", "none") != "none")
    section.unsupported("norm", "only none is supported (weights with their norm folded in)");
  if (!section.boolean("causal", false))
    section.unsupported("causal", "only true is supported: the codec streams");
  if (section.text("pad_mode", "reflect") != "constant")
    section.unsupported("pad_mode", "only constant is supported: the codec streams");
  if (section.integer("lstm", 0, 0) != 0) section.unsupported("lstm", "only 0 is supported");
  if (!section.text("final_activation").empty())
    section.unsupported("final_activation", "only null is supported");
  if (section.number("trim_right_ratio", 1) != 1)
    section.unsupported("trim_right_ratio", "only 1 is supported");
  section.ignore({"disable_norm_outer_blocks", "norm_params", "final_activation_params"});
  if (config.ratios.empty() || config.ratios.size() > 16) section.wrong("ratios", "1 to 16 ratios");
  if (static_cast<int64_t>(config.n_filters) << config.ratios.size() > kMaxSize)
    section.unsupported("n_filters", "too many: they double with each ratio");
  int64_t hop = 1;
  for (const int ratio : config.ratios)
    if ((hop *= ratio) > kMaxSize) section.unsupported("ratios", "their product is above 2^20 samples");
  section.finish();
}

/// Defaults: moshi/quantization/vq.py, SplitResidualVectorQuantizer and ResidualVectorQuantizer.
void read_quantizer(Section section, MimiConfig& config) {
  config.quantizer_dimension = section.integer("dimension", 128);
  config.n_q = section.integer("n_q", 8, 2, 1 << 10);
  config.n_q_semantic = section.integer("n_q_semantic", 1, 1, config.n_q - 1);
  config.bins = section.integer("bins", 1024, 1, 1 << 16);
  for (const char* key : {"input_dimension", "output_dimension"})
    if (section.optional_integer(key).value_or(config.quantizer_dimension) != config.dimension)
      section.unsupported(key, "expected seanet.dimension, " + std::to_string(config.dimension));
  section.ignore(
      {"q_dropout", "no_quantization_rate", "decay", "threshold_usage_ratio", "replaced_usage_ratio"});
  section.finish();
}

/// Defaults: moshi/modules/transformer.py, ProjectedTransformer and StreamingTransformer.
void read_transformer(Section section, MimiConfig& config) {
  TransformerConfig& transformer = config.transformer;
  for (const char* key : {"d_model", "num_heads", "num_layers", "input_dimension", "output_dimensions"})
    section.require(key);
  transformer.dim = section.integer("d_model", 0);
  transformer.num_heads = section.integer("num_heads", 0, 1, 1 << 12);
  read_shared_options(section, "", transformer);
  transformer.dim_feedforward = {section.integer("dim_feedforward", 2048)};
  transformer.context = section.optional_integer("context").value_or(0);
  transformer.norm = section.choice("norm", Norm::LayerNorm, norm_names());
  transformer.position = section.choice("positional_embedding", PositionEmbedding::Sin, position_names());
  if (!section.boolean("causal", false))
    section.unsupported("causal", "only true is supported: the codec streams");
  if (!section.boolean("conv_layout", false)) section.unsupported("conv_layout", "only true is supported");
  if (section.boolean("cross_attention", false))
    section.unsupported("cross_attention", "only false is supported");
  if (transformer.context == 0) section.unsupported("context", "a codec that streams needs one");
  const std::string same = "expected seanet.dimension, " + std::to_string(config.dimension);
  if (transformer.dim != config.dimension) section.unsupported("d_model", same);
  if (section.integer("input_dimension", 0) != config.dimension) section.unsupported("input_dimension", same);
  if (section.integers("output_dimensions", {}, 1, kMaxSize) != std::vector{config.dimension})
    section.unsupported("output_dimensions", same);
  check_transformer(transformer, section, "");
  section.finish();
}

}  // namespace

int MimiConfig::hop_length() const {
  return std::accumulate(ratios.begin(), ratios.end(), 1, std::multiplies<>());
}

int MimiConfig::resample_stride() const {
  return static_cast<int>(std::lround(sample_rate / (frame_rate * hop_length())));
}

int MimiConfig::frame_size() const { return hop_length() * resample_stride(); }

MimiConfig parse_mimi_config(std::string_view json, const std::string& where) {
  const Json object = parse_json(json, where);
  Section section(object, where);
  for (const char* key : {"sample_rate", "channels", "frame_rate", "seanet", "quantizer", "transformer"})
    section.require(key);
  MimiConfig config;
  config.sample_rate = section.integer("sample_rate", 0, 1000);
  config.channels = section.integer("channels", 0);
  config.frame_rate = section.number("frame_rate", 0, 0.1, 10'000);
  if (config.channels != 1) section.unsupported("channels", "only mono codecs are supported");
  read_seanet(section.section("seanet"), config);
  read_quantizer(section.section("quantizer"), config);
  read_transformer(section.section("transformer"), config);
  // As moshi/models/compression.py, MimiModel.__init__: whole latents a frame.
  const double stride = config.sample_rate / (config.frame_rate * config.hop_length());
  if (stride < 1 || stride > 1000 || std::abs(stride - std::round(stride)) > 1e-9)
    section.unsupported("frame_rate", "expected a whole number of frames of " +
                                          std::to_string(config.hop_length()) +
                                          " samples (the product of seanet.ratios) in each");
  section.finish();
  return config;
}

}  // namespace moshi::checkpoint
