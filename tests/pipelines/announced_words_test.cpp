// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "announced_words.h"

#include <gtest/gtest.h>

namespace {

void expect_word(const std::optional<moshi::Word>& word, int64_t start, int64_t end,
                 const std::string& text) {
  ASSERT_TRUE(word.has_value());
  EXPECT_EQ(word->start_ns, start);
  EXPECT_EQ(word->end_ns, end);
  EXPECT_EQ(word->text, text);
}

TEST(AnnouncedWords, RunFromAnnouncementToAnnouncement) {
  AnnouncedWords words(80);
  EXPECT_FALSE(words.announce(80));
  EXPECT_FALSE(words.push(160, " hel"));
  EXPECT_FALSE(words.push(240, "lo"));
  EXPECT_FALSE(words.push(320, ""));
  EXPECT_FALSE(words.push(400, ""));
  expect_word(words.announce(480), 80, 480, "hello");
  EXPECT_FALSE(words.push(560, " you"));
  expect_word(words.finish(), 480, 640, "you");
  EXPECT_FALSE(words.finish());
}

TEST(AnnouncedWords, OneWithoutAnnouncementStartsAtItsPiece) {
  AnnouncedWords words(80);
  EXPECT_FALSE(words.push(0, " a"));
  EXPECT_FALSE(words.push(80, ""));
  expect_word(words.push(160, " b"), 0, 80, "a");
  expect_word(words.finish(), 160, 240, "b");
}

TEST(AnnouncedWords, AnnouncementWithoutPiecesIsNoWord) {
  AnnouncedWords words(80);
  EXPECT_FALSE(words.announce(0));
  EXPECT_FALSE(words.announce(80));
  EXPECT_FALSE(words.push(160, " "));
  EXPECT_FALSE(words.finish());
}

}  // namespace
