// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include <cstdint>
#include <optional>
#include <string>

/// Words of a speech-to-text model, which announces each with an end-of-padding token: a word starts at
/// the announcement before it and ends at the one after it. Source of the rule:
/// rust/moshi-core/src/asr.rs, State::step_tokens.
class AnnouncedWords {
 public:
  /// `frame_ns`: duration of one frame.
  explicit AnnouncedWords(int64_t frame_ns) : frame_ns_(frame_ns) {}
  /// A word is announced at `pts_ns`; the word that ends here, if any.
  std::optional<moshi::Word> announce(int64_t pts_ns);
  /// One text piece of the frame that starts at `pts_ns`; "" (padding) closes the word, and the word that a
  /// piece without announcement pushes out is returned.
  std::optional<moshi::Word> push(int64_t pts_ns, const std::string& piece);
  /// The last word at the end of the stream, if any.
  std::optional<moshi::Word> finish();

 private:
  int64_t frame_ns_;
  std::optional<int64_t> announced_;  ///< Start of the word to come.
  std::optional<moshi::Word> word_;   ///< Its end is that of its last piece so far.
  bool closed_ = false;               ///< The word has all its pieces and waits for its end.
};
