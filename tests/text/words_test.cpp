// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>

#include "moshi/moshi.h"

namespace moshi {
namespace {

constexpr int64_t kFrame = 80'000'000;

/// The words of one piece a frame, as "text@first-last+1" in frames.
std::vector<std::string> words(const std::vector<std::string>& pieces) {
  WordAssembler assembler(kFrame);
  std::vector<std::string> words;
  const auto add = [&](const std::optional<Word>& word) {
    if (word)
      words.push_back(word->text + "@" + std::to_string(word->start_ns / kFrame) + "-" +
                      std::to_string(word->end_ns / kFrame));
  };
  for (size_t i = 0; i < pieces.size(); ++i) add(assembler.push(static_cast<int64_t>(i) * kFrame, pieces[i]));
  add(assembler.finish());
  EXPECT_FALSE(assembler.finish());
  return words;
}

using Words = std::vector<std::string>;

TEST(WordAssembler, LeadingSpaceBeginsAWord) {
  EXPECT_EQ(words({" hel", "lo", " world"}), (Words{"hello@0-2", "world@2-3"}));
}

TEST(WordAssembler, PaddingEndsAWord) {
  EXPECT_EQ(words({"", "", " hel", "lo", "", "", "you", ""}), (Words{"hello@2-4", "you@6-7"}));
}

TEST(WordAssembler, FirstPieceNeedsNoSpace) { EXPECT_EQ(words({"so", "."}), Words{"so.@0-2"}); }

TEST(WordAssembler, LoneSpaceMakesNoWordByItself) {
  EXPECT_EQ(words({" ", "", " ", "hi", " "}), Words{"hi@2-4"});
}

TEST(WordAssembler, EndsOneFrameAfterItsLastPiece) {
  WordAssembler assembler(kFrame);
  EXPECT_FALSE(assembler.push(1000, " a"));
  EXPECT_FALSE(assembler.push(5 * kFrame, "b"));
  const auto word = assembler.push(6 * kFrame, "");
  ASSERT_TRUE(word);
  EXPECT_EQ(word->start_ns, 1000);
  EXPECT_EQ(word->end_ns, 6 * kFrame);
}

TEST(WordAssembler, NothingInNothingOut) { EXPECT_EQ(words({}), Words{}); }

}  // namespace
}  // namespace moshi
