// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace moshi::text {

/// The text stream's vocabulary (SentencePiece).
class Tokenizer {
 public:
  /// Throws NotFound or WrongType.
  explicit Tokenizer(const std::filesystem::path& model);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  [[nodiscard]] int size() const;
  /// The piece with U+2581 as a space; "" for ids outside the vocabulary and control pieces.
  /// Source: moshi/run_inference.py, InferenceState.run (id_to_piece, replace).
  [[nodiscard]] std::string piece(int32_t id) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moshi::text
