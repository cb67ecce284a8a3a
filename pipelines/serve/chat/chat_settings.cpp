// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/chat_settings.h"

#include <charconv>
#include <stdexcept>

namespace serve {
namespace {

constexpr double kHottest = 10;
constexpr int kMostTopK = 1 << 20;

using Query = std::map<std::string, std::string>;

/// A number from `least` to `most` where the query has `name`.
template <typename Number>
std::optional<Number> number_of(const Query& query, const std::string& name, Number least, Number most) {
  const auto found = query.find(name);
  if (found == query.end() || found->second.empty()) return std::nullopt;
  const std::string& text = found->second;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most)) {
    const auto written = [](Number number) {
      std::string digits = std::to_string(number);
      if (digits.find('.') != std::string::npos) digits.erase(digits.find('.'));
      return digits;
    };
    throw std::invalid_argument(name + ": expected a number from " + written(least) + " to " + written(most) +
                                ", found " + text.substr(0, 40));
  }
  return value;
}

}  // namespace

ChatSettings parse_chat_settings(const Query& query) {
  ChatSettings settings;
  settings.text_temperature = number_of<double>(query, "text_temperature", 0, kHottest);
  settings.text_top_k = number_of<int>(query, "text_topk", 0, kMostTopK);
  settings.audio_temperature = number_of<double>(query, "audio_temperature", 0, kHottest);
  settings.audio_top_k = number_of<int>(query, "audio_topk", 0, kMostTopK);
  settings.most_frames = number_of<uint64_t>(query, "max_steps", 0, UINT64_MAX).value_or(0);
  settings.metadata = number_of<int>(query, "metadata", 0, 1).value_or(0) == 1;
  // PersonaPlex's clients say -1 for any.
  for (const char* name : {"text_seed", "audio_seed", "seed"}) {
    const int64_t seed = number_of<int64_t>(query, name, -1, INT64_MAX).value_or(-1);
    if (seed > 0) settings.seed = static_cast<uint64_t>(seed);
  }
  for (const char* name : {"voice_prompt", "text_prompt"}) {
    const auto found = query.find(name);
    if (found == query.end() || found->second.empty()) continue;
    settings.refused.push_back(std::string(name) +
                               ": this model has no prompts; the conversation goes on "
                               "without one");
  }
  return settings;
}

}  // namespace serve
