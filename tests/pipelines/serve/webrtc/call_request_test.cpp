// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/call_request.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace serve {
namespace {

std::string where(const std::string& path, const std::string& node) {
  const auto address = parse_call_address(path, "/whip", node);
  if (!address) return "nowhere";
  return address->hangup ? "hangup of " + address->id : address->id;
}

TEST(CallAddress, HasTheCallsIdBehindTheNode) {
  EXPECT_EQ(where("/whip", ""), "");
  EXPECT_EQ(where("/whip/", "a"), "");
  EXPECT_EQ(where("/whip/12ab", ""), "12ab");
  EXPECT_EQ(where("/whip/a/12ab", "a"), "12ab");
  EXPECT_EQ(where("/whip/a/12ab/hangup", "a"), "hangup of 12ab");
  EXPECT_EQ(where("/whip/12ab", "a"), "12ab");
}

TEST(CallAddress, IsNoneOfAnotherNode) {
  EXPECT_EQ(where("/whip/b/12ab", "a"), "nowhere");
  EXPECT_EQ(where("/whip/b/12ab", ""), "nowhere");
  EXPECT_EQ(where("/whip/hangup", ""), "nowhere");
  EXPECT_EQ(where("/whipped", ""), "nowhere");
}

TEST(Session, HasTheSettingsOfTheQueryAndOpenAisPrompts) {
  const ChatSettings settings = parse_session(
      R"({"type": "realtime", "model": "m", "audio_temperature": 0.5, "text_topk": 20, "seed": 7,
          "instructions": "Be kind.", "audio": {"output": {"voice": "marin"}, "input": []}})");
  EXPECT_EQ(settings.audio_temperature, 0.5);
  EXPECT_EQ(settings.text_top_k, 20);
  EXPECT_EQ(settings.seed, 7U);
  EXPECT_EQ(settings.refused,
            (std::vector<std::string>{
                "voice_prompt: this model has no prompts; the conversation goes on without one",
                "text_prompt: this model has no prompts; the conversation goes on without one"}));
  EXPECT_TRUE(parse_session(R"({"audio": 3})").refused.empty());
}

TEST(Session, IsNamedWhereItIsNone) {
  const auto problem_of = [](const std::string& text) -> std::string {
    try {
      parse_session(text);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(problem_of("[1]"), "expected the part session to be a JSON object, found '[1]'");
  EXPECT_EQ(problem_of("{"), "expected the part session to be a JSON object, found '{'");
  EXPECT_EQ(problem_of(R"({"text_topk": -1})"), "text_topk: expected a number from 0 to 1048576, found -1");
}

}  // namespace
}  // namespace serve
