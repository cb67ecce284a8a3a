// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reads one JSON object of a configuration key by key and knows at the end which were never asked for.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint/json.h"

namespace moshi::checkpoint {

/// Largest width, cardinality or length a configuration may name: far above any model, and small
/// enough that no product of a few of them overflows 64 bits.
inline constexpr int kMaxSize = 1 << 20;

/// All readers take a default for a missing key and throw WrongType for a value of another type or
/// outside [low, high]. null counts as missing only where said so.
class Section {
 public:
  /// `where` names the file in messages, `path` the object within it ("" or "seanet.").
  Section(const Json& object, std::string where, std::string path = "");

  /// Whether the key is there with a value other than null.
  [[nodiscard]] bool has(const std::string& key) const;
  /// The key's value, for a value that is structured; counts as read.
  const Json& raw(const std::string& key);
  /// The object at a key, to be read as a section of its own.
  Section section(const std::string& key);
  /// Throws WrongType unless the key is there.
  void require(const std::string& key) const;

  int integer(const std::string& key, int fallback, int low = 1, int high = kMaxSize);
  /// null or missing: nothing.
  std::optional<int> optional_integer(const std::string& key, int low = 1, int high = kMaxSize);
  double number(const std::string& key, double fallback, double low = -1e9, double high = 1e9);
  /// Missing: the fallback; null: nothing.
  std::optional<double> nullable_number(const std::string& key, std::optional<double> fallback);
  bool boolean(const std::string& key, bool fallback);
  /// null counts as missing.
  std::string text(const std::string& key, const std::string& fallback = "");
  std::vector<int> integers(const std::string& key, std::vector<int> fallback, int low, int high);
  /// null counts as missing.
  std::vector<std::string> texts(const std::string& key);

  /// The value a name stands for, among `choices`.
  template <typename Value>
  Value choice(const std::string& key, Value fallback,
               const std::vector<std::pair<std::string_view, Value>>& choices) {
    if (!contains(key)) return fallback;
    const Json& value = raw(key);
    std::string known;
    for (const auto& [name, meaning] : choices) {
      if (value.is_string() && value.get_ref<const std::string&>() == name) return meaning;
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    wrong(key, "one of " + known);
  }

  /// Marks keys as known that have no effect here.
  void ignore(const std::vector<std::string>& keys);
  /// Throws Settings: the key's value changes the model in a way that is not supported.
  [[noreturn]] void unsupported(const std::string& key, const std::string& what) const;
  /// Throws WrongType with the key's value.
  [[noreturn]] void wrong(const std::string& key, const std::string& expected) const;
  /// Warns of every key that was not read.
  void finish() const;

 private:
  [[nodiscard]] bool contains(const std::string& key) const { return object_->contains(key); }
  [[nodiscard]] bool is_integer(const Json& value, int low, int high) const;

  const Json* object_;
  std::string where_;
  std::string path_;
  std::set<std::string> read_;
};

}  // namespace moshi::checkpoint
