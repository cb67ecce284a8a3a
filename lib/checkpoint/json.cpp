// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/json.h"

#include <set>
#include <vector>

#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

constexpr int kMaxDepth = 32;

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;  // Of the objects around the parser's position.
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth)
      throw Error(ErrorCode::WrongType, where + ": expected JSON, found more than 32 levels of nesting");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw Error(ErrorCode::WrongType, where + ": " + quoted(parsed) + " is there twice; keep one of them");
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::parse_error& error) {
    throw Error(ErrorCode::WrongType,
                where + ": expected JSON, found something else at byte " + std::to_string(error.byte));
  } catch (const Json::exception&) {
    throw Error(ErrorCode::WrongType, where + ": expected JSON, found a number too large for it");
  }
}

std::string quoted(const Json& value) {
  if (value.is_structured() && value.size() > 16) return value.is_array() ? "a long list" : "a large object";
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace moshi::checkpoint
