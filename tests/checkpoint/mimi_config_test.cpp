// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <nlohmann/json.hpp>

#include "checkpoint/builtin_config.h"
#include "checkpoint/config.h"
#include "support.h"

namespace moshi::checkpoint {
namespace {

using nlohmann::json;
using test::expect_error;

MimiConfig parse(const json& config) { return parse_mimi_config(config.dump(), "mimi.json"); }
json published() { return json::parse(kMimi); }

TEST(MimiConfig, Published) {
  const test::Warnings warnings;
  const MimiConfig config = parse(published());
  EXPECT_TRUE(warnings.lines.empty());
  EXPECT_EQ(config.sample_rate, 24000);
  EXPECT_EQ(config.frame_rate, 12.5);
  EXPECT_EQ(config.dimension, 512);
  EXPECT_EQ(config.n_filters, 64);
  EXPECT_EQ(config.ratios, (std::vector<int>{8, 6, 5, 4}));
  EXPECT_EQ(config.hop_length(), 960);
  EXPECT_EQ(config.resample_stride(), 2);
  EXPECT_EQ(config.frame_size(), 1920);
  EXPECT_EQ(config.quantizer_dimension, 256);
  EXPECT_EQ(config.n_q, 32);
  EXPECT_EQ(config.n_q_semantic, 1);
  EXPECT_EQ(config.bins, 2048);
  EXPECT_EQ(config.transformer.dim, 512);
  EXPECT_EQ(config.transformer.num_layers, 8);
  EXPECT_EQ(config.transformer.num_heads, 8);
  EXPECT_EQ(config.transformer.dim_feedforward, std::vector<int>{2048});
  EXPECT_EQ(config.transformer.context, 250);
  EXPECT_EQ(config.transformer.layer_scale, 0.01);
  EXPECT_EQ(config.transformer.norm, Norm::LayerNorm);
  EXPECT_EQ(config.transformer.position, PositionEmbedding::Rope);
  EXPECT_EQ(config.transformer.gating, Gating::None);
}

TEST(MimiConfig, IsTheDefaultOfEveryModel) { EXPECT_EQ(builtin_config("7b").mimi.frame_size(), 1920); }

TEST(MimiConfig, DefaultsAreTheConstructors) {
  const MimiConfig config = parse({{"sample_rate", 16000},
                                   {"channels", 1},
                                   {"frame_rate", 25},
                                   {"seanet", {{"causal", true}, {"pad_mode", "constant"}}},
                                   {"quantizer", json::object()},
                                   {"transformer",
                                    {{"d_model", 128},
                                     {"num_heads", 4},
                                     {"num_layers", 1},
                                     {"input_dimension", 128},
                                     {"output_dimensions", {128}},
                                     {"context", 10},
                                     {"causal", true},
                                     {"conv_layout", true}}}});
  EXPECT_EQ(config.dimension, 128);
  EXPECT_EQ(config.n_filters, 32);
  EXPECT_EQ(config.n_residual_layers, 3);
  EXPECT_EQ(config.ratios, (std::vector<int>{8, 5, 4, 2}));
  EXPECT_EQ(config.kernel_size, 7);
  EXPECT_EQ(config.last_kernel_size, 7);
  EXPECT_EQ(config.residual_kernel_size, 3);
  EXPECT_EQ(config.dilation_base, 2);
  EXPECT_EQ(config.compress, 2);
  EXPECT_TRUE(config.true_skip);
  EXPECT_EQ(config.quantizer_dimension, 128);
  EXPECT_EQ(config.n_q, 8);
  EXPECT_EQ(config.bins, 1024);
  EXPECT_EQ(config.transformer.dim_feedforward, std::vector<int>{2048});
  EXPECT_EQ(config.transformer.position, PositionEmbedding::Sin);
  EXPECT_FALSE(config.transformer.layer_scale);
  EXPECT_EQ(config.frame_size(), 640);
}

TEST(MimiConfig, OddRates) {
  json config = published();
  config["sample_rate"] = 22050;
  config["seanet"]["ratios"] = {7, 5, 3, 3};
  config["frame_rate"] = 22050.0 / 315 / 2;
  EXPECT_EQ(parse(config).frame_size(), 630);
  EXPECT_EQ(parse(config).resample_stride(), 2);
  config["frame_rate"] = 70;
  EXPECT_EQ(parse(config).resample_stride(), 1);
}

TEST(MimiConfig, OtherKeysAreRead) {
  json config = published();
  config["seanet"]["activation_params"] = {{"alpha", 0.5}};
  config["seanet"]["true_skip"] = false;
  config["quantizer"]["n_q_semantic"] = 2;
  EXPECT_EQ(parse(config).elu_alpha, 0.5);
  EXPECT_FALSE(parse(config).true_skip);
  EXPECT_EQ(parse(config).n_q_semantic, 2);
}

TEST(MimiConfig, UnknownKeysWarnByName) {
  const test::Warnings warnings;
  json config = published();
  config["seanet"]["swish"] = 1;
  config["extra"] = 2;
  parse(config);
  EXPECT_EQ(warnings.lines, (std::vector<std::string>{"mimi.json: unknown key seanet.swish has no effect",
                                                      "mimi.json: unknown key extra has no effect"}));
}

struct Refused {
  json change;  ///< Merged into the published configuration; a null takes a key away.
  ErrorCode code;
  std::string part;
};

TEST(MimiConfig, RefusedValues) {
  const std::vector<Refused> all = {
      {{{"seanet", nullptr}}, ErrorCode::WrongType, "mimi.json: seanet is missing"},
      {{{"sample_rate", nullptr}}, ErrorCode::WrongType, "sample_rate is missing"},
      {{{"sample_rate", 7}}, ErrorCode::WrongType, "sample_rate: expected a whole number from 1000"},
      {{{"channels", 2}}, ErrorCode::Settings, "channels 2: only mono codecs are supported"},
      {{{"frame_rate", 13}},
       ErrorCode::Settings,
       "frame_rate 13: expected a whole number of frames of 960 samples"},
      {{{"frame_rate", 50}}, ErrorCode::Settings, "frame_rate 50"},
      {{{"seanet", {{"channels", 2}}}}, ErrorCode::Settings, "seanet.channels 2: only mono"},
      {{{"seanet", {{"activation", "GELU"}}}}, ErrorCode::Settings, "seanet.activation \"GELU\": only ELU"},
      {{{"seanet", {{"norm", "weight_norm"}}}},
       ErrorCode::Settings,
       "seanet.norm \"weight_norm\": only none"},
      {{{"seanet", {{"causal", false}}}}, ErrorCode::Settings, "seanet.causal false: only true"},
      {{{"seanet", {{"causal", nullptr}}}}, ErrorCode::Settings, "seanet.causal missing: only true"},
      {{{"seanet", {{"pad_mode", "reflect"}}}},
       ErrorCode::Settings,
       "seanet.pad_mode \"reflect\": only constant"},
      {{{"seanet", {{"pad_mode", nullptr}}}}, ErrorCode::Settings, "seanet.pad_mode missing: only constant"},
      {{{"seanet", {{"lstm", 2}}}}, ErrorCode::Settings, "seanet.lstm 2: only 0"},
      {{{"seanet", {{"final_activation", "Tanh"}}}}, ErrorCode::Settings, "seanet.final_activation \"Tanh\""},
      {{{"seanet", {{"trim_right_ratio", 0.5}}}}, ErrorCode::Settings, "seanet.trim_right_ratio 0.5"},
      {{{"seanet", {{"ratios", json::array()}}}},
       ErrorCode::WrongType,
       "seanet.ratios: expected 1 to 16 ratios"},
      {{{"seanet", {{"ratios", {1000, 1000, 1000}}}}}, ErrorCode::Settings, "product is above 2^20 samples"},
      {{{"seanet", {{"ratios", {0}}}}}, ErrorCode::WrongType, "seanet.ratios: expected whole numbers from 1"},
      {{{"seanet", {{"n_filters", 4096}, {"ratios", {2, 2, 2, 2, 2, 2, 2, 2, 2}}}}},
       ErrorCode::Settings,
       "seanet.n_filters 4096: too many"},
      {{{"seanet", {{"compress", 65}}}},
       ErrorCode::WrongType,
       "seanet.compress: expected a whole number from 1 to 64"},
      {{{"quantizer", {{"input_dimension", 64}}}},
       ErrorCode::Settings,
       "quantizer.input_dimension 64: expected seanet"},
      {{{"quantizer", {{"output_dimension", nullptr}}}},
       ErrorCode::Settings,
       "quantizer.output_dimension missing"},
      {{{"quantizer", {{"n_q", 1}}}}, ErrorCode::WrongType, "quantizer.n_q: expected a whole number from 2"},
      {{{"quantizer", {{"n_q_semantic", 32}}}}, ErrorCode::WrongType, "quantizer.n_q_semantic: expected"},
      {{{"quantizer", {{"bins", 65537}}}},
       ErrorCode::WrongType,
       "quantizer.bins: expected a whole number from 1 to 65536"},
      {{{"transformer", {{"d_model", nullptr}}}}, ErrorCode::WrongType, "transformer.d_model is missing"},
      {{{"transformer", {{"d_model", 256}}}},
       ErrorCode::Settings,
       "transformer.d_model 256: expected seanet.dimension"},
      {{{"transformer", {{"input_dimension", 256}}}}, ErrorCode::Settings, "transformer.input_dimension 256"},
      {{{"transformer", {{"output_dimensions", {512, 512}}}}},
       ErrorCode::Settings,
       "output_dimensions [512,512]"},
      {{{"transformer", {{"causal", false}}}}, ErrorCode::Settings, "transformer.causal false: only true"},
      {{{"transformer", {{"conv_layout", false}}}},
       ErrorCode::Settings,
       "transformer.conv_layout false: only true"},
      {{{"transformer", {{"cross_attention", true}}}},
       ErrorCode::Settings,
       "transformer.cross_attention true"},
      {{{"transformer", {{"context", nullptr}}}},
       ErrorCode::Settings,
       "transformer.context missing: a codec"},
      {{{"transformer", {{"num_heads", 7}}}}, ErrorCode::Settings, "transformer.num_heads 7: a width of 512"},
  };
  for (const Refused& refused : all) {
    SCOPED_TRACE(refused.change.dump());
    json config = published();
    config.merge_patch(refused.change);
    expect_error(refused.code, refused.part, [&] { parse(config); });
  }
}

}  // namespace
}  // namespace moshi::checkpoint
