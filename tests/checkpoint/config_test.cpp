// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The values of configurations: published variants, defaults, inheritance of the depth transformer.
#include "checkpoint/config.h"

#include <numeric>

#include "support.h"

namespace moshi::checkpoint {
namespace {

ModelConfig parse(const std::string& json) { return parse_model_config(json, "config.json"); }

/// [first, then `per_speaker` delays for each of `speakers`]: semantic 0, acoustic `delay`.
std::vector<int> delays(int speakers, int per_speaker, int delay) {
  std::vector<int> list = {0};
  for (int speaker = 0; speaker < speakers; ++speaker)
    for (int k = 0; k < per_speaker; ++k) list.push_back(k == 0 ? 0 : delay);
  return list;
}

std::string json_list(const std::vector<int>& values) {
  std::string text = "[";
  for (const int value : values) text += (text.size() > 1 ? "," : "") + std::to_string(value);
  return text + "]";
}

void expect_7b_temporal(const LmConfig& lm) {
  EXPECT_EQ(lm.temporal.dim, 4096);
  EXPECT_EQ(lm.temporal.num_layers, 32);
  EXPECT_EQ(lm.temporal.num_heads, 32);
  EXPECT_EQ(lm.temporal.dim_feedforward, std::vector<int>{16896});
  EXPECT_EQ(lm.temporal.context, 3000);
  EXPECT_EQ(lm.temporal.max_period, 10000);
  EXPECT_EQ(lm.temporal.norm, Norm::RmsNormF32);
  EXPECT_EQ(lm.temporal.position, PositionEmbedding::Rope);
  EXPECT_EQ(lm.temporal.gating, Gating::Silu);
  EXPECT_FALSE(lm.temporal.layer_scale);
  EXPECT_EQ(lm.temporal.weight_sets(), 1);
  EXPECT_EQ(lm.text_card, 32000);
  EXPECT_EQ(lm.text_card_out, 32000);
  EXPECT_EQ(lm.card, 2048);
  EXPECT_EQ(lm.n_q, 16);
  EXPECT_EQ(lm.delays, delays(2, 8, 1));
  EXPECT_EQ(lm.max_delay(), 1);
}

TEST(Config, Moshi7bIsBuiltIn) {
  const ModelConfig config = builtin_config("7b");
  expect_7b_temporal(config.lm);
  EXPECT_EQ(config.model_type, "moshi");
  EXPECT_EQ(config.lm.dep_q, 8);
  EXPECT_EQ(config.lm.n_q - config.lm.dep_q, 8);
  EXPECT_EQ(config.codec_codebooks(), 8);
  EXPECT_EQ(config.output_codebooks(), 8);
  const TransformerConfig& depth = config.lm.depth;
  EXPECT_EQ(depth.dim, 1024);
  EXPECT_EQ(depth.num_layers, 6);
  EXPECT_EQ(depth.num_heads, 16);
  EXPECT_EQ(depth.dim_feedforward, std::vector<int>{4224});
  EXPECT_EQ(depth.position, PositionEmbedding::None);
  EXPECT_EQ(depth.gating, Gating::Silu);
  EXPECT_EQ(depth.norm, Norm::RmsNormF32);
  EXPECT_EQ(depth.context, 0);
  EXPECT_EQ(depth.schedule, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(depth.weight_sets(), 8);
  EXPECT_TRUE(config.lm.depformer_multi_linear);
  EXPECT_EQ(config.moshi_name, "model.safetensors");
  EXPECT_EQ(config.mimi_name, "tokenizer-e351c8d8-checkpoint125.safetensors");
  EXPECT_EQ(config.tokenizer_name, "tokenizer_spm_32k_3.model");
}

TEST(Config, PersonaPlexIsBuiltInAndFoundByItsType) {
  const test::Warnings warnings;
  for (const ModelConfig& config :
       {builtin_config("personaplex"), parse(R"({"model_type": "personaplex", "version": "7b-v1"})")}) {
    expect_7b_temporal(config.lm);
    EXPECT_EQ(config.model_type, "personaplex");
    EXPECT_EQ(config.lm.dep_q, 16);
    EXPECT_EQ(config.lm.depth.weight_sets(), 16);
    EXPECT_EQ(config.codec_codebooks(), 8);
    EXPECT_EQ(config.output_codebooks(), 8);
  }
  EXPECT_TRUE(warnings.lines.empty());
}

TEST(Config, BuiltInNamesAreChecked) {
  test::expect_error(ErrorCode::Settings, "expected 7b or personaplex, found \"8b\"",
                     [] { builtin_config("8b"); });
}

TEST(Config, Hibiki2b) {
  const test::Warnings warnings;
  const ModelConfig config = parse(R"({
    "model_type": "hibiki", "dim": 2560, "num_layers": 24, "num_heads": 20, "hidden_scale": 4.125,
    "context": 1500, "max_period": 100000, "gating": "silu", "norm": "rms_norm_f32", "causal": true,
    "positional_embedding": "rope", "text_card": 48000, "card": 2048, "n_q": 32, "dep_q": 16,
    "depformer_dim": 1024, "depformer_dim_feedforward": 3072, "depformer_num_layers": 4,
    "depformer_num_heads": 16, "depformer_pos_emb": "none", "depformer_multi_linear": true,
    "depformer_context": 16, "depformer_max_period": 10000, "depformer_gating": "silu",
    "depformer_weights_per_step": true, "depformer_low_rank_embeddings": 128,
    "depformer_weights_per_step_schedule": [0,1,2,3,4,5,6,7,8,8,8,8,8,8,8,8], "depformer_causal": true,
    "conditioners": {"description": {"type": "lut", "lut": {"n_bins": 31, "dim": 16, "tokenizer": "noop",
      "possible_values": ["very_bad", "bad", "neutral", "good", "very_good"]}}},
    "fuser": {"cross_attention_pos_emb": false, "cross_attention_pos_emb_scale": 1, "sum": ["description"],
      "prepend": [], "cross": []},
    "lm_gen_config": {"temp": 0.8, "temp_text": 0.8, "top_k": 250, "top_k_text": 50},
    "tokenizer_name": "tokenizer_spm_48k_multi6_2.model", "model_id": {"sig": "x", "epoch": 1},
    "delays": )" + json_list(delays(2, 16, 2)) +
                                   "}");
  EXPECT_TRUE(warnings.lines.empty()) << warnings.lines.front();
  EXPECT_EQ(config.lm.temporal.dim_feedforward, std::vector<int>{10560});
  EXPECT_EQ(config.lm.temporal.max_period, 1e5);
  EXPECT_EQ(config.lm.max_delay(), 2);
  EXPECT_EQ(config.codec_codebooks(), 16);
  EXPECT_EQ(config.lm.depth.weight_sets(), 9);
  EXPECT_EQ(config.lm.depth.schedule.size(), 16U);
  EXPECT_EQ(config.lm.depth.max_period, 10000);
  EXPECT_EQ(config.lm.depth.dim_feedforward, std::vector<int>{3072});
  EXPECT_EQ(config.lm.depformer_low_rank_embeddings, 128);
  ASSERT_EQ(config.lm.conditioners.size(), 1U);
  EXPECT_EQ(config.lm.conditioners[0].name, "description");
  EXPECT_EQ(config.lm.conditioners[0].n_bins, 31);
  EXPECT_EQ(config.lm.conditioners[0].dim, 16);
  EXPECT_EQ(config.lm.conditioners[0].possible_values.at(4), "very_good");
  EXPECT_EQ(config.lm.fuse_sum, std::vector<std::string>{"description"});
  EXPECT_EQ(config.lm_gen_config.at("top_k_text"), 50);
}

std::string stt(const std::string& sizes) {
  return R"({"model_type": "stt", "card": 2048, "n_q": 32, "dep_q": 0, "hidden_scale": 4.125, "gating": "silu",
    "norm": "rms_norm_f32", "positional_embedding": "rope", "max_period": 100000, "causal": true,
    "depformer_dim": 1024, "depformer_multi_linear": true, "depformer_weights_per_step": true,
    "depformer_weights_per_step_schedule": [], "lora": false, "quantize": false, "delays": )" +
         json_list(std::vector<int>(33, 0)) + "," + sizes + "}";
}

TEST(Config, Stt1b) {
  const test::Warnings warnings;
  const ModelConfig config = parse(stt(R"("dim": 2048, "num_layers": 16, "num_heads": 16, "context": 750,
    "text_card": 8000, "extra_heads_num_heads": 4, "extra_heads_dim": 6,
    "stt_config": {"audio_delay_seconds": 0.5, "audio_silence_prefix_seconds": 0.0})"));
  EXPECT_TRUE(warnings.lines.empty()) << warnings.lines.front();
  EXPECT_EQ(config.lm.temporal.dim_feedforward, std::vector<int>{8448});
  EXPECT_EQ(config.lm.dep_q, 0);
  EXPECT_EQ(config.lm.n_q - config.lm.dep_q, 32);
  EXPECT_EQ(config.codec_codebooks(), 32);
  EXPECT_EQ(config.output_codebooks(), 0);
  EXPECT_EQ(config.lm.max_delay(), 0);
  EXPECT_EQ(config.lm.extra_heads, 4);
  EXPECT_EQ(config.lm.extra_heads_dim, 6);
  EXPECT_EQ(config.stt_audio_delay_seconds, 0.5);
}

TEST(Config, Stt26b) {
  const ModelConfig config = parse(stt(R"("dim": 2048, "num_layers": 48, "num_heads": 32, "context": 375,
    "text_card": 4000, "stt_config": {"audio_delay_seconds": 2.5, "audio_silence_prefix_seconds": 1.0})"));
  EXPECT_EQ(config.lm.temporal.num_layers, 48);
  EXPECT_EQ(config.lm.temporal.context, 375);
  EXPECT_EQ(config.lm.text_card_out, 4000);
  EXPECT_EQ(config.lm.extra_heads, 0);
  EXPECT_EQ(config.stt_audio_delay_seconds, 2.5);
  EXPECT_EQ(config.stt_audio_silence_prefix_seconds, 1.0);
}

TEST(Config, DefaultsAreTheReferences) {
  const ModelConfig config =
      parse(R"({"num_layers": 2, "depformer_num_heads": 4, "delays": [0,0,0,0,0,0,0,0,0]})");
  const LmConfig& lm = config.lm;
  EXPECT_EQ(config.model_type, "moshi");
  EXPECT_EQ(lm.n_q, 8);
  EXPECT_EQ(lm.dep_q, 8);
  EXPECT_EQ(lm.card, 1024);
  EXPECT_EQ(lm.text_card, 32000);
  EXPECT_EQ(lm.text_card_out, 32000);
  EXPECT_EQ(lm.text_padding_id, 3);
  EXPECT_EQ(lm.text_end_padding_id, 0);
  EXPECT_EQ(lm.extra_heads, 0);
  EXPECT_EQ(lm.extra_heads_dim, 6);
  EXPECT_FALSE(lm.norm_emb);
  EXPECT_FALSE(lm.bias_proj);
  EXPECT_FALSE(lm.depformer_multi_linear);
  EXPECT_FALSE(lm.depformer_norm);
  EXPECT_EQ(lm.depformer_low_rank_embeddings, 0);
  EXPECT_EQ(lm.temporal.dim, 128);
  EXPECT_EQ(lm.temporal.num_heads, 8);
  EXPECT_EQ(lm.temporal.dim_feedforward, std::vector<int>{512});
  EXPECT_EQ(lm.temporal.context, 0);
  EXPECT_EQ(lm.temporal.norm, Norm::LayerNorm);
  EXPECT_EQ(lm.temporal.position, PositionEmbedding::Sin);
  EXPECT_EQ(lm.temporal.gating, Gating::None);
  EXPECT_EQ(lm.temporal.max_period, 10000);
  EXPECT_EQ(lm.temporal.positional_scale, 1);
  EXPECT_EQ(lm.temporal.kv_repeat, 1);
  EXPECT_FALSE(lm.temporal.layer_scale);
  EXPECT_EQ(lm.depth.dim, 256);
  EXPECT_EQ(lm.depth.num_heads, 4);
  EXPECT_EQ(lm.depth.num_layers, 2);
  EXPECT_EQ(lm.depth.dim_feedforward, std::vector<int>{1024});
  EXPECT_EQ(lm.depth.position, PositionEmbedding::Sin);
  EXPECT_TRUE(lm.depth.schedule.empty());
}

std::string small(const std::string& more) {
  return R"({"dim": 64, "num_heads": 4, "num_layers": 2, "n_q": 2, "dep_q": 2, "delays": [0,1,2],
    "depformer_dim": 32, "depformer_num_heads": 2 )" +
         (more.empty() ? "" : ", " + more) + "}";
}

TEST(Config, DepthInheritsFromTheTemporalTransformer) {
  const LmConfig lm = parse(small(R"("gating": "gelu", "max_period": 500, "kv_repeat": 2, "layer_scale": 0.5,
    "positional_scale": 0.25, "norm": "rms_norm", "context": 10, "hidden_scale": 3.3)"))
                          .lm;
  EXPECT_EQ(lm.depth.gating, Gating::Gelu);
  EXPECT_EQ(lm.depth.max_period, 500);
  EXPECT_EQ(lm.depth.kv_repeat, 2);
  EXPECT_EQ(lm.depth.layer_scale, 0.5);
  EXPECT_EQ(lm.depth.positional_scale, 0.25);
  EXPECT_EQ(lm.depth.norm, Norm::RmsNorm);
  EXPECT_EQ(lm.depth.num_layers, 2);
  EXPECT_EQ(lm.depth.context, 0);
  EXPECT_EQ(lm.temporal.dim_feedforward, std::vector<int>{211});  // int(3.3 * 64)
  EXPECT_EQ(lm.depth.dim_feedforward, std::vector<int>{105});
}

TEST(Config, DepthKeysOverride) {
  const LmConfig lm = parse(small(R"("gating": "gelu", "max_period": 500, "kv_repeat": 2, "layer_scale": 0.5,
    "depformer_gating": "mish", "depformer_max_period": 600, "depformer_kv_repeat": 1,
    "depformer_layer_scale": null, "depformer_num_layers": 7, "depformer_pos_emb": "rope_concat",
    "depformer_norm": "rms_norm_f32", "depformer_weights_per_step": true,
    "depformer_weights_per_step_schedule": [0, 0], "depformer_dim_feedforward": [96],
    "depformer_context": 99, "depformer_positional_scale": 2)"))
                          .lm;
  EXPECT_EQ(lm.temporal.gating, Gating::Gelu);
  EXPECT_EQ(lm.depth.gating, Gating::Mish);
  EXPECT_EQ(lm.depth.max_period, 600);
  EXPECT_EQ(lm.depth.kv_repeat, 1);
  EXPECT_FALSE(lm.depth.layer_scale);
  EXPECT_EQ(lm.temporal.layer_scale, 0.5);
  EXPECT_EQ(lm.depth.num_layers, 7);
  EXPECT_EQ(lm.depth.position, PositionEmbedding::RopeConcat);
  EXPECT_EQ(lm.depformer_norm, Norm::RmsNormF32);
  EXPECT_EQ(lm.depth.weight_sets(), 1);
  EXPECT_EQ(lm.depth.schedule, (std::vector<int>{0, 0}));
  EXPECT_EQ(lm.depth.dim_feedforward, std::vector<int>{96});
  EXPECT_EQ(lm.depth.positional_scale, 2);
  EXPECT_EQ(lm.max_delay(), 2);
}

TEST(Config, EveryNameOfAChoice) {
  const std::vector<std::pair<std::string, Gating>> gatings = {{"none", Gating::None},
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
  for (const auto& [name, gating] : gatings)
    EXPECT_EQ(parse(small(R"("gating": ")" + name + '"')).lm.temporal.gating, gating) << name;
  const std::vector<std::pair<std::string, Norm>> norms = {{"layer_norm", Norm::LayerNorm},
                                                           {"layer_norm_f32", Norm::LayerNormF32},
                                                           {"rms_norm", Norm::RmsNorm},
                                                           {"rms_norm_f32", Norm::RmsNormF32}};
  for (const auto& [name, norm] : norms)
    EXPECT_EQ(parse(small(R"("norm": ")" + name + '"')).lm.temporal.norm, norm) << name;
  const std::vector<std::pair<std::string, PositionEmbedding>> positions = {
      {"none", PositionEmbedding::None},
      {"sin", PositionEmbedding::Sin},
      {"rope", PositionEmbedding::Rope},
      {"sin_rope", PositionEmbedding::SinRope},
      {"rope_concat", PositionEmbedding::RopeConcat}};
  for (const auto& [name, position] : positions)
    EXPECT_EQ(parse(small(R"("positional_embedding": ")" + name + '"')).lm.temporal.position, position)
        << name;
}

TEST(Config, SwitchesOfSamplingAreNumbers) {
  const auto values =
      parse(small(R"("lm_gen_config": {"use_sampling": false, "cfg_coef": 3})")).lm_gen_config;
  EXPECT_EQ(values.at("use_sampling"), 0);
  EXPECT_EQ(values.at("cfg_coef"), 3);
}

TEST(Config, UnknownKeysWarnByName) {
  const test::Warnings warnings;
  parse(small(R"("depformer_colour": 1, "lm_gen_config": {"text_temp": 0.6}, "tts_config": {"x": 1},
    "gradient_checkpointing": true, "betas": [0.9, 0.95])"));
  EXPECT_EQ(warnings.lines,
            (std::vector<std::string>{"config.json: unknown key lm_gen_config.text_temp has no effect",
                                      "config.json: unknown key depformer_colour has no effect"}));
}

TEST(Config, WarningsGoToTheHandlerThatIsSet) {
  std::string seen;
  set_warning_handler([&](const std::string& line) { seen = line; });
  parse(small(R"("novelty": 1)"));
  set_warning_handler({});
  EXPECT_EQ(seen, "config.json: unknown key novelty has no effect");
  testing::internal::CaptureStderr();
  parse(small(R"("novelty": 1)"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: config.json: unknown key novelty has no effect\n");
}

TEST(Precision, NamesThereAndBack) {
  for (const char* name : {"auto", "f32", "bf16", "int8"}) EXPECT_EQ(to_string(parse_precision(name)), name);
  test::expect_error(ErrorCode::Settings, "expected auto, f32, bf16 or int8, found \"f64\"",
                     [] { parse_precision("f64"); });
  for (const char* name : {"auto", "int8"}) EXPECT_EQ(to_string(parse_kv_precision(name)), name);
  test::expect_error(ErrorCode::Settings, "kv-precision: expected auto or int8, found \"fp8\"",
                     [] { parse_kv_precision("fp8"); });
}

}  // namespace
}  // namespace moshi::checkpoint
