// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <utility>

#include "moshi/moshi.h"

namespace moshi {

std::optional<Word> WordAssembler::push(int64_t pts_ns, const std::string& piece) {
  const bool begins = piece.starts_with(' ');
  std::optional<Word> complete;
  if (piece.empty() || begins) complete = finish();
  if (piece.empty()) return complete;
  if (!word_) word_ = Word{.start_ns = pts_ns};
  word_->end_ns = pts_ns + frame_ns_;
  word_->text += begins ? piece.substr(1) : piece;
  return complete;
}

std::optional<Word> WordAssembler::finish() {
  std::optional<Word> word = std::exchange(word_, std::nullopt);
  // A piece that is a space and nothing else makes no word by itself.
  if (word && word->text.empty()) word.reset();
  return word;
}

}  // namespace moshi
