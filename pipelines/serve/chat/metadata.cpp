// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/metadata.h"

#include <nlohmann/json.hpp>

namespace serve {

using nlohmann::ordered_json;

std::string metadata_of(const ChatSettings& settings, const moshi::ExecutionContext& context) {
  const moshi::Sampling& defaults = context.lm().sampling;
  ordered_json build;
  for (const char* name :
       {"build_timestamp", "build_date", "git_branch", "git_timestamp", "git_date", "git_hash",
        "git_describe", "rustc_host_triple", "rustc_version", "cargo_target_triple"})
    build[name] = "";
  build["git_describe"] = moshi::build_info().version;
  // No token is punished for coming again.
  const ordered_json metadata = {
      {"text_temperature", settings.text_temperature.value_or(defaults.text_temperature)},
      {"text_topk", settings.text_top_k.value_or(defaults.text_top_k)},
      {"audio_temperature", settings.audio_temperature.value_or(defaults.audio_temperature)},
      {"audio_topk", settings.audio_top_k.value_or(defaults.audio_top_k)},
      {"pad_mult", 0},
      {"repetition_penalty_context", 32},
      {"repetition_penalty", 1.0},
      {"lm_model_file", context.model()},
      {"mimi_model_file", context.model()},
      {"instance_name", "gst-moshi"},
      {"build_info", build}};
  return metadata.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace serve
