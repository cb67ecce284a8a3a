// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The keys clients must have. Only their digests are kept.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace serve {

class Keys {
 public:
  /// Of a file, one a line; empty lines and lines that begin with # are none. Throws Failure.
  explicit Keys(const std::string& file);

  /// The line of the file that `key` is, if any; takes as long for any key.
  [[nodiscard]] std::optional<int> line_of(const std::string& key) const;

 private:
  using Digest = std::array<uint8_t, 32>;
  struct Entry {
    int line;
    Digest digest;
  };
  static Digest digest_of(const std::string& key);

  std::vector<Entry> entries_;
};

}  // namespace serve
