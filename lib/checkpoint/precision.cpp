// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <array>
#include <utility>

#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi {
namespace {

constexpr std::array kPrecisions = {std::pair{"auto", Precision::Auto}, std::pair{"f32", Precision::F32},
                                    std::pair{"bf16", Precision::BF16}, std::pair{"int8", Precision::Int8}};

constexpr std::array kKvPrecisions = {std::pair{"auto", KvPrecision::Auto},
                                      std::pair{"int8", KvPrecision::Int8}};

/// The value that `name` is the name of; otherwise says what the `setting` may be.
template <typename Names>
auto parse(const Names& names, const char* setting, const char* expected, const std::string& name) {
  for (const auto& [known, value] : names)
    if (name == known) return value;
  throw Error(ErrorCode::Settings, std::string(setting) + ": expected " + expected + ", found \"" +
                                       checkpoint::printable(name) + "\"");
}

template <typename Names, typename Value>
std::string name_of(const Names& names, Value value) {
  for (const auto& [name, known] : names)
    if (value == known) return name;
  return "auto";
}

}  // namespace

Precision parse_precision(const std::string& name) {
  return parse(kPrecisions, "precision", "auto, f32, bf16 or int8", name);
}

std::string to_string(Precision precision) { return name_of(kPrecisions, precision); }

KvPrecision parse_kv_precision(const std::string& name) {
  return parse(kKvPrecisions, "kv-precision", "auto or int8", name);
}

std::string to_string(KvPrecision precision) { return name_of(kKvPrecisions, precision); }

}  // namespace moshi
