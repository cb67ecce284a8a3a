// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <array>
#include <utility>

#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi {
namespace {

constexpr std::array kPrecisions = {std::pair{"auto", Precision::Auto}, std::pair{"f32", Precision::F32},
                                    std::pair{"bf16", Precision::BF16}, std::pair{"int8", Precision::Int8}};

}  // namespace

Precision parse_precision(const std::string& name) {
  for (const auto& [known, precision] : kPrecisions)
    if (name == known) return precision;
  throw Error(ErrorCode::Settings,
              "precision: expected auto, f32, bf16 or int8, found \"" + checkpoint::printable(name) + "\"");
}

std::string to_string(Precision precision) {
  for (const auto& [name, known] : kPrecisions)
    if (precision == known) return name;
  return "auto";
}

}  // namespace moshi
