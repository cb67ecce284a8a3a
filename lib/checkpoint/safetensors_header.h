// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The JSON header of a safetensors file, read without trusting a byte of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/safetensors.h"

namespace moshi::checkpoint {

/// A tensor as the header describes it; the range is relative to the end of the header.
struct HeaderEntry {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct Header {
  std::vector<HeaderEntry> entries;  ///< In order of their ranges.
  std::map<std::string, std::string> metadata;
};

/// Parses `json` and checks that the entries' names differ, that each range has the size of its
/// shape and dtype, and that together they fill `data_bytes` without gap or overlap.
/// Throws WrongType; `name` is the file's in messages.
Header parse_header(std::string_view json, uint64_t data_bytes, const std::string& name);

/// Throws WrongType for the damaged safetensors file `name`.
[[noreturn]] void damaged(const std::string& name, const std::string& problem);

}  // namespace moshi::checkpoint
