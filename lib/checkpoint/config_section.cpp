// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/config_section.h"

#include <sstream>

#include "checkpoint/text_file.h"
#include "checkpoint/warnings.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

std::string range(const std::string& what, int low, int high) {
  return what + " from " + std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

Section::Section(const Json& object, std::string where, std::string path)
    : object_(&object), where_(std::move(where)), path_(std::move(path)) {
  if (!object.is_object())
    throw Error(ErrorCode::WrongType, where_ + ": " +
                                          (path_.empty() ? "" : path_.substr(0, path_.size() - 1) + ": ") +
                                          "expected an object of settings, found " + quoted(object));
}

bool Section::has(const std::string& key) const { return contains(key) && !(*object_)[key].is_null(); }

const Json& Section::raw(const std::string& key) {
  require(key);
  read_.insert(key);
  return (*object_)[key];
}

Section Section::section(const std::string& key) { return {raw(key), where_, path_ + key + "."}; }

void Section::require(const std::string& key) const {
  if (!contains(key)) throw Error(ErrorCode::WrongType, where_ + ": " + path_ + key + " is missing; add it");
}

int Section::integer(const std::string& key, int fallback, int low, int high) {
  if (!contains(key)) return fallback;
  const Json& value = raw(key);
  if (!is_integer(value, low, high)) wrong(key, range("a whole number", low, high));
  return value.get<int>();
}

std::optional<int> Section::optional_integer(const std::string& key, int low, int high) {
  read_.insert(key);
  if (!has(key)) return std::nullopt;
  return integer(key, 0, low, high);
}

double Section::number(const std::string& key, double fallback, double low, double high) {
  if (!contains(key)) return fallback;
  const Json& value = raw(key);
  if (!value.is_number() || !(value.get<double>() >= low && value.get<double>() <= high)) {
    std::ostringstream expected;
    expected << "a number from " << low << " to " << high;
    wrong(key, expected.str());
  }
  return value.get<double>();
}

std::optional<double> Section::nullable_number(const std::string& key, std::optional<double> fallback) {
  if (!contains(key)) return fallback;
  if (raw(key).is_null()) return std::nullopt;
  return number(key, 0);
}

bool Section::boolean(const std::string& key, bool fallback) {
  if (!contains(key)) return fallback;
  const Json& value = raw(key);
  if (!value.is_boolean()) wrong(key, "true or false");
  return value.get<bool>();
}

std::string Section::text(const std::string& key, const std::string& fallback) {
  read_.insert(key);
  if (!has(key)) return fallback;
  if (!raw(key).is_string()) wrong(key, "a text");
  return raw(key).get<std::string>();
}

std::vector<int> Section::integers(const std::string& key, std::vector<int> fallback, int low, int high) {
  if (!contains(key)) return fallback;
  const Json& list = raw(key);
  if (!list.is_array() || list.size() > static_cast<size_t>(kMaxSize)) wrong(key, "a list");
  std::vector<int> values;
  for (const Json& value : list) {
    if (!is_integer(value, low, high)) wrong(key, range("whole numbers", low, high));
    values.push_back(value.get<int>());
  }
  return values;
}

std::vector<std::string> Section::texts(const std::string& key) {
  read_.insert(key);
  if (!has(key)) return {};
  const Json& list = raw(key);
  if (!list.is_array()) wrong(key, "a list of texts");
  std::vector<std::string> values;
  for (const Json& value : list) {
    if (!value.is_string()) wrong(key, "a list of texts");
    values.push_back(value.get<std::string>());
  }
  return values;
}

void Section::ignore(const std::vector<std::string>& keys) { read_.insert(keys.begin(), keys.end()); }

void Section::unsupported(const std::string& key, const std::string& what) const {
  throw Error(ErrorCode::Settings, where_ + ": " + path_ + key +
                                       (contains(key) ? " " + quoted((*object_)[key]) : " missing") + ": " +
                                       what);
}

void Section::wrong(const std::string& key, const std::string& expected) const {
  throw Error(ErrorCode::WrongType, where_ + ": " + path_ + key + ": expected " + expected + ", found " +
                                        quoted((*object_)[key]) + "; correct it");
}

void Section::finish() const {
  for (const auto& [key, value] : object_->items())
    if (!read_.contains(key)) warn(where_ + ": unknown key " + printable(path_ + key) + " has no effect");
}

bool Section::is_integer(const Json& value, int low, int high) const {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(kMaxSize) * kMaxSize)
    return false;
  return value.get<int64_t>() >= low && value.get<int64_t>() <= high;
}

}  // namespace moshi::checkpoint
