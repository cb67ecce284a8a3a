// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// JSON files of unknown origin.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace moshi::checkpoint {

using Json = nlohmann::json;

/// Parses `text`; `where` names it in messages. Throws WrongType for anything but JSON, for nesting
/// deeper than 32 and for a key that an object has twice.
Json parse_json(std::string_view text, const std::string& where);

/// A value as quoted in messages: one line, shortened.
std::string quoted(const Json& value);

}  // namespace moshi::checkpoint
