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

template <typename Names, typename Value>
std::string name_of(const Names& names, Value value) {
  for (const auto& [name, known] : names)
    if (value == known) return name;
  return "auto";
}

}  // namespace

Precision parse_precision(const std::string& name) {
  for (const auto& [known, precision] : kPrecisions)
    if (name == known) return precision;
  throw Error(ErrorCode::Settings,
              "precision: expected auto, f32, bf16 or int8, found \"" + checkpoint::printable(name) + "\"");
}

std::string to_string(Precision precision) { return name_of(kPrecisions, precision); }

KvPrecision parse_kv_precision(const std::string& name) {
  for (const auto& [known, precision] : kKvPrecisions)
    if (name == known) return precision;
  throw Error(ErrorCode::Settings,
              "kv-precision: expected auto or int8, found \"" + checkpoint::printable(name) + "\"");
}

std::string to_string(KvPrecision precision) { return name_of(kKvPrecisions, precision); }

}  // namespace moshi
