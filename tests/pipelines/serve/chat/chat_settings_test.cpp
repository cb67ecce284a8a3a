// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/chat_settings.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace serve {
namespace {

std::string problem_of(const std::string& name, const std::string& value) {
  try {
    parse_chat_settings({{name, value}});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(ChatSettings, AreTheRustBackendsAndPersonaPlexs) {
  const ChatSettings settings = parse_chat_settings({{"text_temperature", "0.7"},
                                                     {"text_topk", "25"},
                                                     {"audio_temperature", "0"},
                                                     {"audio_topk", "250"},
                                                     {"audio_seed", "12"},
                                                     {"max_steps", "4500"},
                                                     {"pad_mult", "?"},
                                                     {"email", "a@b"}});
  EXPECT_DOUBLE_EQ(settings.text_temperature.value(), 0.7);
  EXPECT_EQ(settings.text_top_k, 25);
  EXPECT_EQ(settings.audio_temperature, 0);
  EXPECT_EQ(settings.audio_top_k, 250);
  EXPECT_EQ(settings.seed, 12U);
  EXPECT_EQ(settings.most_frames, 4500U);
  EXPECT_TRUE(settings.refused.empty());
}

TEST(ChatSettings, AreTheModelsOwnWhereNoneAreGiven) {
  const ChatSettings settings = parse_chat_settings({{"text_topk", ""}, {"seed", "-1"}});
  EXPECT_FALSE(settings.text_temperature || settings.text_top_k || settings.audio_temperature ||
               settings.audio_top_k);
  EXPECT_EQ(settings.seed, 0U);
  EXPECT_EQ(settings.most_frames, 0U);
}

TEST(ChatSettings, NameWhatIsNoNumber) {
  EXPECT_EQ(problem_of("text_topk", "2.5"), "text_topk: expected a number from 0 to 1048576, found 2.5");
  EXPECT_EQ(problem_of("audio_temperature", "-0.1"),
            "audio_temperature: expected a number from 0 to 10, found -0.1");
  EXPECT_EQ(problem_of("text_temperature", "inf"),
            "text_temperature: expected a number from 0 to 10, found inf");
  EXPECT_EQ(problem_of("max_steps", "-1"),
            "max_steps: expected a number from 0 to 18446744073709551615, found -1");
  EXPECT_EQ(problem_of("seed", "one"), "seed: expected a number from -1 to 9223372036854775807, found one");
}

TEST(ChatSettings, TellOfPromptsThatAreNotThere) {
  const ChatSettings settings = parse_chat_settings({{"voice_prompt", "../NATF2.pt"}, {"text_prompt", ""}});
  ASSERT_EQ(settings.refused.size(), 1U);
  EXPECT_EQ(settings.refused[0],
            "voice_prompt: this model has no prompts; the conversation goes on without one");
}

}  // namespace
}  // namespace serve
