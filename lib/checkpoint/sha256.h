// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace moshi::checkpoint {

/// SHA-256 (FIPS 180-4) of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// The digest of all bytes so far, 64 lower-case hex digits. Nothing can be added after it.
  [[nodiscard]] std::string hex();

 private:
  std::shared_ptr<void> checksum_;
};

/// The digest of `text`, 64 lower-case hex digits.
std::string sha256_hex(std::string_view text);

}  // namespace moshi::checkpoint
