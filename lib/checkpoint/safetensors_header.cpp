// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

constexpr size_t kMaxDimensions = 64;

struct DtypeFacts {
  Dtype dtype;
  std::string_view name;
  size_t size;
};
constexpr std::array kDtypes = {
    DtypeFacts{Dtype::Bool, "BOOL", 1},      DtypeFacts{Dtype::U8, "U8", 1},
    DtypeFacts{Dtype::I8, "I8", 1},          DtypeFacts{Dtype::F8E4M3, "F8_E4M3", 1},
    DtypeFacts{Dtype::F8E5M2, "F8_E5M2", 1}, DtypeFacts{Dtype::I16, "I16", 2},
    DtypeFacts{Dtype::U16, "U16", 2},        DtypeFacts{Dtype::F16, "F16", 2},
    DtypeFacts{Dtype::BF16, "BF16", 2},      DtypeFacts{Dtype::I32, "I32", 4},
    DtypeFacts{Dtype::U32, "U32", 4},        DtypeFacts{Dtype::F32, "F32", 4},
    DtypeFacts{Dtype::F64, "F64", 8},        DtypeFacts{Dtype::I64, "I64", 8},
    DtypeFacts{Dtype::U64, "U64", 8}};

const DtypeFacts& facts_of(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)]; }

std::optional<Dtype> parse_dtype(std::string_view name) {
  for (const DtypeFacts& facts : kDtypes)
    if (facts.name == name) return facts.dtype;
  return std::nullopt;
}

/// Builds a Header from the parser's events. It knows one place at a time and accepts only what may
/// come there, so nesting cannot grow and nothing but the header itself is kept in memory.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Header header;
  std::string problem;

  bool start_object(size_t) override {
    if (place_ == Place::Start) return go(Place::Root);
    if (place_ == Place::Metadata && !metadata_open_) return metadata_open_ = true;
    if (place_ == Place::Entry) {
      fields_.clear();
      return go(Place::Field);
    }
    return unexpected("an object");
  }
  bool end_object() override {
    if (place_ == Place::Root) return go(Place::End);
    if (place_ == Place::Field && fields_.size() < 3)
      return fail(quoted() + ": expected dtype, shape and data_offsets, found not all of them");
    return go(Place::Root);
  }
  bool key(string_t& name) override {
    if (place_ == Place::Root) return begin_entry(name);
    if (place_ == Place::Field) return begin_field(name);
    return begin_metadata(name);
  }
  bool string(string_t& text) override {
    if (place_ == Place::Metadata && metadata_open_) {
      header.metadata[metadata_key_] = text;
      return true;
    }
    if (place_ != Place::Dtype) return unexpected("a string");
    const auto dtype = parse_dtype(text);
    if (!dtype) return fail(quoted() + ": unknown dtype \"" + printable(text) + "\"");
    entry().dtype = *dtype;
    return go(Place::Field);
  }
  bool start_array(size_t) override {
    if (!in_array_ && (place_ == Place::Shape || place_ == Place::Offsets)) return in_array_ = true;
    return unexpected("an array");
  }
  bool end_array() override {
    in_array_ = false;
    if (place_ == Place::Offsets && offsets_ != 2)
      return fail(quoted() + ": expected two data_offsets, found " + std::to_string(offsets_));
    return go(Place::Field);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (in_array_ && place_ == Place::Shape) return add_dimension(value);
    if (in_array_ && place_ == Place::Offsets) return add_offset(value);
    return unexpected("a number");
  }
  bool number_integer(number_integer_t value) override {
    return unexpected("the number " + std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return unexpected("the number " + printable(text));
  }
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a truth value"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail("expected a JSON header, found something else at byte " + std::to_string(position) +
                " of it");
  }

 private:
  enum class Place { Start, Root, Metadata, Entry, Field, Dtype, Shape, Offsets, End };

  HeaderEntry& entry() { return header.entries.back(); }
  std::string quoted() { return "tensor \"" + printable(entry().name) + "\""; }
  bool go(Place place) {
    place_ = place;
    return true;
  }
  bool fail(std::string text) {
    problem = std::move(text);
    return false;
  }
  bool unexpected(const std::string& what) {
    const std::string where = place_ == Place::Start || place_ == Place::Root ? "header"
                              : place_ == Place::Metadata                     ? "__metadata__"
                                                                              : quoted();
    const std::string expected = place_ == Place::Start      ? "an object of tensors"
                                 : place_ == Place::Metadata ? "strings by name"
                                 : place_ == Place::Dtype    ? "the name of a dtype"
                                 : place_ == Place::Shape    ? "a shape of whole numbers from 0"
                                 : place_ == Place::Offsets  ? "two data_offsets from 0"
                                                             : "an object with dtype, shape and data_offsets";
    return fail(where + ": expected " + expected + ", found " + what);
  }
  bool begin_entry(const std::string& name) {
    if (!names_.insert(name).second) return fail("tensor \"" + printable(name) + "\" is there twice");
    if (name == "__metadata__") {
      metadata_open_ = false;
      return go(Place::Metadata);
    }
    header.entries.push_back({.name = name});
    return go(Place::Entry);
  }
  bool begin_metadata(const std::string& name) {
    if (header.metadata.contains(name))
      return fail("__metadata__: \"" + printable(name) + "\" is there twice");
    metadata_key_ = name;
    return true;
  }
  bool begin_field(const std::string& name) {
    if (!fields_.insert(name).second) return fail(quoted() + ": " + printable(name) + " is there twice");
    if (name == "dtype") return go(Place::Dtype);
    if (name == "shape") return go(Place::Shape);
    if (name != "data_offsets") return fail(quoted() + ": unknown field \"" + printable(name) + "\"");
    offsets_ = 0;
    return go(Place::Offsets);
  }
  bool add_dimension(uint64_t value) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return unexpected("the number " + std::to_string(value));
    if (entry().shape.size() == kMaxDimensions) return fail(quoted() + ": more than 64 dimensions");
    entry().shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  bool add_offset(uint64_t value) {
    (offsets_ == 0 ? entry().begin : entry().end) = value;
    return ++offsets_ <= 2 || fail(quoted() + ": expected two data_offsets, found more");
  }

  Place place_ = Place::Start;
  bool in_array_ = false;
  bool metadata_open_ = false;
  int offsets_ = 0;
  std::string metadata_key_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
};

/// Bytes of a tensor of this shape; nothing where they exceed 64 bits.
std::optional<uint64_t> byte_size(const HeaderEntry& entry) {
  uint64_t bytes = size_of(entry.dtype);
  for (const int64_t dimension : entry.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes)) return std::nullopt;
  return bytes;
}

void check_range(const HeaderEntry& entry, uint64_t data_bytes, const std::string& name) {
  const std::string tensor = "tensor \"" + printable(entry.name) + "\"";
  if (entry.begin > entry.end || entry.end > data_bytes)
    damaged(name, tensor + ": expected a range within its " + std::to_string(data_bytes) +
                      " bytes of data, found " + std::to_string(entry.begin) + " to " +
                      std::to_string(entry.end));
  const auto bytes = byte_size(entry);
  if (!bytes) damaged(name, tensor + ": its shape has more than 2^64 bytes");
  if (*bytes != entry.end - entry.begin)
    damaged(name, tensor + ": its shape takes " + std::to_string(*bytes) + " bytes, its range has " +
                      std::to_string(entry.end - entry.begin));
}

void check_tiling(const std::vector<HeaderEntry>& entries, uint64_t data_bytes, const std::string& name) {
  uint64_t position = 0;
  for (const HeaderEntry& entry : entries) {
    if (entry.begin != position)
      damaged(name, "tensor \"" + printable(entry.name) + "\" " +
                        (entry.begin < position ? "overlaps the one before it" : "leaves a gap before it"));
    position = entry.end;
  }
  if (position != data_bytes)
    damaged(name,
            "expected " + std::to_string(position) + " bytes of data, found " + std::to_string(data_bytes));
}

}  // namespace

size_t size_of(Dtype dtype) { return facts_of(dtype).size; }

std::string_view name_of(Dtype dtype) { return facts_of(dtype).name; }

void damaged(const std::string& name, const std::string& problem) {
  throw Error(ErrorCode::WrongType,
              name + ": not a sound safetensors file: " + problem + "; copy or download it again");
}

Header parse_header(std::string_view json, uint64_t data_bytes, const std::string& name) {
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) damaged(name, reader.problem);
  Header header = std::move(reader.header);
  for (const HeaderEntry& entry : header.entries) check_range(entry, data_bytes, name);
  std::sort(header.entries.begin(), header.entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  check_tiling(header.entries, data_bytes, name);
  return header;
}

}  // namespace moshi::checkpoint
