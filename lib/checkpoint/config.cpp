// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/config.h"

#include <algorithm>

#include "checkpoint/builtin_config.h"
#include "checkpoint/lm_config.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

constexpr std::string_view kPersonaPlex = "personaplex";

/// The sampling defaults: numbers and switches under the names of moshi/models/lm.py, LMGen.__init__.
std::map<std::string, double> read_lm_gen_config(Section section) {
  std::map<std::string, double> values;
  for (const char* key : {"temp", "temp_text", "top_k", "top_k_text", "cfg_coef"})
    if (section.has(key)) values[key] = section.number(key, 0);
  for (const char* key : {"use_sampling", "cfg_is_no_text"})
    if (section.has(key)) values[key] = section.boolean(key, false) ? 1 : 0;
  section.ignore({"check", "support_out_of_sync"});
  section.finish();
  return values;
}

void read_stt_config(Section section, ModelConfig& config) {
  config.stt_audio_delay_seconds = section.number("audio_delay_seconds", 0, 0, 60);
  config.stt_audio_silence_prefix_seconds = section.number("audio_silence_prefix_seconds", 0, 0, 60);
  section.finish();
}

std::string file_name(Section& section, const std::string& key, const std::string& fallback) {
  std::string name = section.text(key, fallback);
  if (name.empty() || name.find('\0') != name.npos) section.wrong(key, "a file name");
  return name;
}

/// Fills in the architecture that PersonaPlex's config.json leaves out.
void complete_personaplex(Json& object) {
  if (!object.is_object() || object.value("model_type", Json()) != kPersonaPlex || object.contains("dim"))
    return;
  Json complete = Json::parse(kMoshi7b);
  complete.update(Json::parse(kPersonaPlexChanges));
  complete.update(object);
  object = std::move(complete);
}

ModelConfig read_model_config(const Json& object, const std::string& where) {
  Section section(object, where);
  ModelConfig config;
  config.model_type = section.text("model_type", config.model_type);
  config.moshi_name = file_name(section, "moshi_name", config.moshi_name);
  config.mimi_name = file_name(section, "mimi_name", config.mimi_name);
  config.mimi_config_name = section.text("mimi_config_name");
  config.tokenizer_name = file_name(section, "tokenizer_name", config.tokenizer_name);
  config.lora_name = section.text("lora_name");
  if (!config.lora_name.empty())
    section.unsupported("lora_name", "LoRA weights are not supported; fuse them first");
  if (section.has("lm_gen_config"))
    config.lm_gen_config = read_lm_gen_config(section.section("lm_gen_config"));
  if (section.has("stt_config")) read_stt_config(section.section("stt_config"), config);
  section.ignore({"lm_gen_config", "stt_config", "tts_config", "model_id", "version"});
  config.lm = read_lm_config(section);
  config.mimi = parse_mimi_config(kMimi, "built-in Mimi configuration");
  section.finish();
  return config;
}

}  // namespace

int TransformerConfig::weight_sets() const {
  return schedule.empty() ? 1 : *std::max_element(schedule.begin(), schedule.end()) + 1;
}

int LmConfig::max_delay() const { return *std::max_element(delays.begin(), delays.end()); }

int ModelConfig::codec_codebooks() const {
  // PersonaPlex generates the user's streams too, so dep_q counts both speakers' codebooks.
  return model_type == kPersonaPlex ? lm.n_q / 2 : std::max(lm.dep_q, lm.n_q - lm.dep_q);
}

int ModelConfig::output_codebooks() const { return model_type == kPersonaPlex ? lm.n_q / 2 : lm.dep_q; }

ModelConfig parse_model_config(std::string_view json, const std::string& where) {
  Json object = parse_json(json, where);
  complete_personaplex(object);
  return read_model_config(object, where);
}

ModelConfig builtin_config(std::string_view name) {
  const std::string where = "built-in configuration";
  if (name == "7b") return parse_model_config(kMoshi7b, where);
  if (name == kPersonaPlex) return parse_model_config(kPersonaPlexChanges, where);
  throw Error(ErrorCode::Settings,
              "built-in configuration: expected 7b or personaplex, found \"" + std::string(name) + "\"");
}

}  // namespace moshi::checkpoint
