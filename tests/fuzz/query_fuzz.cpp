// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Any query of /api/chat is settings within their bounds, or one line that says what is wrong.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "serve/chat/chat_settings.h"
#include "serve/http/request.h"

namespace {

void expect(bool right) {
  if (!right) std::abort();
}

template <typename Number>
bool within(const std::optional<Number>& value, Number most) {
  return !value || (*value >= 0 && *value <= most);
}

void check(const serve::ChatSettings& settings) {
  expect(within(settings.text_temperature, 10.0) && within(settings.audio_temperature, 10.0));
  expect(within(settings.text_top_k, 1 << 20) && within(settings.audio_top_k, 1 << 20));
  expect(settings.refused.size() <= 2);
}

void check(const std::string& line) {
  // A line for people, which an answer's JSON holds; what was found is cut short in it.
  expect(!line.empty() && line.size() < 200);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A query is a C string by the time it is decoded.
  const std::string query(data, std::find(data, data + size, 0));
  try {
    check(serve::parse_chat_settings(serve::decode_query(query)));
  } catch (const std::invalid_argument& error) {
    check(error.what());
  }
  return 0;
}
