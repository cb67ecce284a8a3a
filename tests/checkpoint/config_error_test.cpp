// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Every line that a config.json can be refused with.
#include <map>

#include "checkpoint/config.h"
#include "support.h"

namespace moshi::checkpoint {
namespace {

using test::expect_error;
using Keys = std::map<std::string, std::string>;

/// A small sound configuration with some keys replaced; an empty value takes the key away.
std::string config(const Keys& changes) {
  Keys keys = {{"dim", "64"},  {"num_heads", "4"},    {"num_layers", "2"},     {"n_q", "2"},
               {"dep_q", "2"}, {"delays", "[0,1,2]"}, {"depformer_dim", "32"}, {"depformer_num_heads", "2"}};
  for (const auto& [key, value] : changes) keys[key] = value;
  std::string json = "{";
  for (const auto& [key, value] : keys)
    if (!value.empty()) json += (json.size() > 1 ? "," : "") + ('"' + key + "\":") + value;
  return json + "}";
}

struct Refused {
  Keys changes;
  ErrorCode code;
  std::string part;
};

TEST(ConfigErrors, WrongValues) {
  const std::vector<Refused> all = {
      {{{"num_layers", ""}}, ErrorCode::WrongType, "config.json: num_layers is missing"},
      {{{"depformer_num_heads", ""}}, ErrorCode::WrongType, "depformer_num_heads is missing"},
      {{{"dim", "\"64\""}},
       ErrorCode::WrongType,
       "dim: expected a whole number from 1 to 1048576, found \"64\""},
      {{{"dim", "64.0"}}, ErrorCode::WrongType, "dim: expected a whole number from 1 to 1048576, found 64.0"},
      {{{"dim", "0"}}, ErrorCode::WrongType, "found 0"},
      {{{"dim", "1e400"}}, ErrorCode::WrongType, "found a number too large"},
      {{{"dim", "18446744073709551615"}}, ErrorCode::WrongType, "found 18446744073709551615"},
      {{{"dim", "4294967360"}}, ErrorCode::WrongType, "found 4294967360"},
      {{{"dim", "2097152"}}, ErrorCode::WrongType, "found 2097152"},
      {{{"dim", "null"}}, ErrorCode::WrongType, "dim: expected a whole number"},
      {{{"num_heads", "5"}}, ErrorCode::Settings, "num_heads 5: a width of 64 is not divisible by it"},
      {{{"kv_repeat", "3"}}, ErrorCode::Settings, "num_heads 4: not divisible by kv_repeat 3"},
      {{{"num_heads", "64"}, {"positional_embedding", "\"rope\""}},
       ErrorCode::Settings,
       "heads of an even width"},
      {{{"dim", "63"}, {"num_heads", "1"}}, ErrorCode::Settings, "the sin embedding needs an even width"},
      {{{"depformer_num_heads", "3"}}, ErrorCode::Settings, "depformer_num_heads 3: a width of 32"},
      {{{"dep_q", "3"}}, ErrorCode::WrongType, "dep_q: expected a whole number from 0 to 2, found 3"},
      {{{"delays", "[0,1]"}}, ErrorCode::Settings, "delays [0,1]: expected 3 values (n_q + 1), found 2"},
      {{{"delays", "[0,-1,1]"}},
       ErrorCode::WrongType,
       "delays: expected whole numbers from 0 to 4096, found [0,-1,1]"},
      {{{"delays", "[0,1,99999]"}}, ErrorCode::WrongType, "expected whole numbers from 0 to 4096"},
      {{{"delays", "1"}}, ErrorCode::WrongType, "delays: expected a list, found 1"},
      {{{"norm", "\"batch\""}},
       ErrorCode::WrongType,
       "norm: expected one of layer_norm, layer_norm_f32, rms_norm, rms_norm_f32, found \"batch\""},
      {{{"gating", "1"}}, ErrorCode::WrongType, "gating: expected one of none, silu"},
      {{{"positional_embedding", "\"alibi\""}}, ErrorCode::WrongType, "expected one of none, sin, rope"},
      {{{"norm_emb", "1"}}, ErrorCode::WrongType, "norm_emb: expected true or false, found 1"},
      {{{"hidden_scale", "0"}},
       ErrorCode::WrongType,
       "hidden_scale: expected a number from 0.01 to 64, found 0"},
      {{{"max_period", "\"x\""}}, ErrorCode::WrongType, "max_period: expected a number"},
      {{{"layer_scale", "[]"}}, ErrorCode::WrongType, "layer_scale: expected a number"},
      {{{"context", "0"}}, ErrorCode::WrongType, "context: expected a whole number from 1"},
      {{{"model_type", "7"}}, ErrorCode::WrongType, "model_type: expected a text, found 7"},
      {{{"moshi_name", "\"\""}}, ErrorCode::WrongType, "moshi_name: expected a file name, found \"\""},
      {{{"mimi_name", "\"a\\u0000b\""}}, ErrorCode::WrongType, "mimi_name: expected a file name"},
      {{{"lm_gen_config", "[]"}},
       ErrorCode::WrongType,
       "lm_gen_config: expected an object of settings, found []"},
      {{{"lm_gen_config", R"({"temp":"hot"})"}},
       ErrorCode::WrongType,
       "lm_gen_config.temp: expected a number"},
      {{{"stt_config", R"({"audio_delay_seconds":-1})"}},
       ErrorCode::WrongType,
       "stt_config.audio_delay_seconds"},
      {{{"depformer_weights_per_step", "true"}},
       ErrorCode::Settings,
       "depformer_weights_per_step true: it needs a gating"},
      {{{"depformer_weights_per_step_schedule", "[0,0]"}},
       ErrorCode::Settings,
       "it needs depformer_weights_per_step true"},
      {{{"depformer_weights_per_step", "true"}, {"depformer_weights_per_step_schedule", "[0]"}},
       ErrorCode::Settings,
       "depformer_weights_per_step_schedule [0]: expected dep_q values, 2, found 1"},
      {{{"depformer_dim_feedforward", "[64,64]"}},
       ErrorCode::Settings,
       "one for each weight set (1), found 2"},
      {{{"depformer_dim_feedforward", "0"}},
       ErrorCode::WrongType,
       "depformer_dim_feedforward: expected a whole number"},
  };
  for (const Refused& refused : all) {
    const std::string json = config(refused.changes);
    SCOPED_TRACE(json);
    expect_error(refused.code, refused.part, [&] { parse_model_config(json, "config.json"); });
  }
}

TEST(ConfigErrors, UnsupportedKeysThatChangeTheModel) {
  const std::string lut = R"({"dim":4,"n_bins":2,"tokenizer":"noop")";
  const auto conditioner = [&](const std::string& more) {
    return Keys{{"conditioners", R"({"mood":{"type":"lut","lut":)" + lut + more + "}}}"}};
  };
  const std::vector<std::pair<Keys, std::string>> all = {
      {{{"lora", "true"}}, "lora true: LoRA weights are not supported"},
      {{{"lora_name", "\"lora.safetensors\""}},
       "lora_name \"lora.safetensors\": LoRA weights are not supported"},
      {{{"demux_second_text_stream", "true"}},
       "demux_second_text_stream true: models with a second text stream"},
      {{{"demux_second_stream", "true"}}, "demux_second_stream true: models with a second text stream"},
      {{{"cross_attention", "true"}}, "cross_attention true: models with cross attention"},
      {{{"causal", "false"}}, "causal false: only causal models can stream"},
      {{{"conditioners", R"({"voice":{"type":"tensor","tensor":{"dim":4}}})"}},
       "conditioners.voice.type \"tensor\": only lut conditioners are supported"},
      {{{"conditioners", R"({"mood":{"type":"lut","lut":{"dim":4,"n_bins":2,"tokenizer":"bpe"}}})"}},
       "conditioners.mood.lut.tokenizer \"bpe\": only noop is supported"},
      {conditioner(R"(,"possible_values":["a","b","c"])"), "n_bins 2: fewer than the possible_values"},
      {conditioner(R"(,"force_linear":false)"), "force_linear false: only true is supported"},
      {conditioner(R"(,"learn_padding":false)"), "learn_padding false: only true is supported"},
      {conditioner(R"(,"output_bias":true)"), "output_bias true: only false is supported"},
      {{{"fuser", R"({"cross":["voice"]})"}}, "fuser.cross [\"voice\"]: conditions by cross attention"},
      {{{"fuser", R"({"prepend":["voice"]})"}},
       "fuser.prepend [\"voice\"]: conditions are not supported there"},
      {{{"fuser", R"({"sum":["voice"]})"}}, "fuser.sum [\"voice\"]: there is no conditioner voice"},
  };
  for (const auto& [changes, part] : all) {
    const std::string json = config(changes);
    SCOPED_TRACE(json);
    expect_error(ErrorCode::Settings, part, [&] { parse_model_config(json, "config.json"); });
  }
}

TEST(ConfigErrors, ConditionersOfTheWrongForm) {
  const std::vector<std::pair<std::string, std::string>> all = {
      {"[]", "conditioners: expected an object of settings, found []"},
      {R"({"a":1})", "conditioners.a: expected an object of settings, found 1"},
      {R"({"a":{}})", "conditioners.a.type is missing"},
      {R"({"a":{"type":"lut"}})", "conditioners.a.lut is missing"},
      {R"({"a":{"type":"lut","lut":{"dim":1}}})", "conditioners.a.lut.n_bins is missing"},
      {R"({"a":{"type":"lut","lut":{"dim":1,"n_bins":1,"possible_values":[1]}}})",
       "expected a list of texts, found [1]"},
      {R"({"a":{"type":"lut","lut":{"dim":1,"n_bins":1,"possible_values":"b"}}})",
       "expected a list of texts"},
  };
  for (const auto& [value, part] : all)
    expect_error(ErrorCode::WrongType, part, [&] {
      parse_model_config(config({{"conditioners", value}}), "config.json");
    });
}

TEST(ConfigErrors, FalseSwitchesAreFine) {
  const test::Warnings warnings;
  const std::string json = config({{"quantize", "false"},
                                   {"lora", "false"},
                                   {"lora_rank", "128"},
                                   {"lora_scaling", "2.0"},
                                   {"lora_name", "null"},
                                   {"mimi_config_name", "null"},
                                   {"demux_second_stream", "false"},
                                   {"cross_attention", "false"},
                                   {"conditioners", "null"},
                                   {"fuser", "null"},
                                   {"text_card_out", "null"},
                                   {"context", "null"}});
  EXPECT_EQ(parse_model_config(json, "config.json").lm.text_card_out, 32000);
  EXPECT_TRUE(warnings.lines.empty());
}

TEST(ConfigErrors, NotJson) {
  const auto parse = [](const std::string& json) {
    return [json] { parse_model_config(json, "config.json"); };
  };
  expect_error(ErrorCode::WrongType, "config.json: expected JSON, found something else at byte 1", parse(""));
  expect_error(ErrorCode::WrongType, "expected JSON, found something else at byte", parse("{\"dim\": NaN}"));
  expect_error(ErrorCode::WrongType, "expected JSON, found something else", parse("{\"\xff\": 1}"));
  expect_error(ErrorCode::WrongType, "expected an object of settings, found [1]", parse("[1]"));
  expect_error(ErrorCode::WrongType, "expected an object of settings, found null", parse("null"));
  expect_error(ErrorCode::WrongType, "\"dim\" is there twice", parse(R"({"dim": 1, "dim": 2})"));
  expect_error(ErrorCode::WrongType, "more than 32 levels of nesting", parse(std::string(1'000'000, '[')));
  std::string bomb;
  for (int i = 0; i < 100'000; ++i) bomb += R"({"a":)";
  expect_error(ErrorCode::WrongType, "more than 32 levels of nesting", parse(bomb));
}

TEST(ConfigErrors, FuzzCorpusGivesAnErrorOrAConfiguration) {
  const test::Warnings warnings;
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_CORPUS "/config")) {
    SCOPED_TRACE(entry.path());
    ++files;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    for (const auto& parse :
         std::vector<std::function<void()>>{[&] { parse_model_config(text, "config.json"); },
                                            [&] { parse_mimi_config(text, "mimi.json"); }}) {
      try {
        parse();
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == ErrorCode::WrongType || error.code() == ErrorCode::Settings)
            << error.what();
      }
    }
  }
  EXPECT_GT(files, 5U);
}

}  // namespace
}  // namespace moshi::checkpoint
