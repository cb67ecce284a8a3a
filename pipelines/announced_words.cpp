// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "announced_words.h"

#include <algorithm>
#include <utility>

std::optional<moshi::Word> AnnouncedWords::announce(int64_t pts_ns) {
  std::optional<moshi::Word> ended = finish();
  if (ended) ended->end_ns = pts_ns;
  announced_ = pts_ns;
  return ended;
}

std::optional<moshi::Word> AnnouncedWords::push(int64_t pts_ns, const std::string& piece) {
  if (piece.empty()) {
    closed_ = word_.has_value();
    return std::nullopt;
  }
  std::optional<moshi::Word> ended;
  if (closed_) ended = finish();
  if (!word_) word_ = moshi::Word{std::exchange(announced_, std::nullopt).value_or(pts_ns), 0, ""};
  word_->text +=
      word_->text.empty() ? piece.substr(std::min(piece.size(), piece.find_first_not_of(' '))) : piece;
  word_->end_ns = pts_ns + frame_ns_;
  return ended;
}

std::optional<moshi::Word> AnnouncedWords::finish() {
  closed_ = false;
  std::optional<moshi::Word> ended = std::exchange(word_, std::nullopt);
  if (ended && ended->text.empty()) ended.reset();
  return ended;
}
