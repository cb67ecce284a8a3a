// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace serve {
namespace {

using nlohmann::json;

TEST(Events, HaveTheNamesOfOpenAisAndFollowingIds) {
  Events events;
  const json created = json::parse(events.session_created("12ab", "moshi"));
  EXPECT_EQ(created["type"], "session.created");
  EXPECT_EQ(created["session"]["id"], "12ab");
  EXPECT_EQ(created["session"]["model"], "moshi");
  EXPECT_EQ(created["session"]["output_modalities"], json::array({"audio"}));
  EXPECT_TRUE(created["session"]["audio"]["input"]["turn_detection"].is_null());
  const json response = json::parse(events.response_created());
  EXPECT_EQ(response["type"], "response.created");
  const json delta = json::parse(events.transcript_delta(" paris", 2960));
  EXPECT_EQ(delta["type"], "response.output_audio_transcript.delta");
  EXPECT_EQ(delta["response_id"], response["response"]["id"]);
  EXPECT_EQ(delta["delta"], " paris");
  EXPECT_EQ(delta["start_ms"], 2960);
  EXPECT_EQ(delta["event_id"], "event_3");
}

TEST(Events, AreTextWhateverBytesAPieceHas) {
  EXPECT_EQ(json::parse(Events().transcript_delta("\xe2\x82", 0))["delta"], "\uFFFD");
}

TEST(Events, TellWhatCannotBeHadAndWhyACallEnds) {
  const json refused = json::parse(Events().refused("no prompts"))["error"];
  EXPECT_EQ(refused,
            json({{"type", "invalid_request_error"}, {"code", "refused"}, {"message", "no prompts"}}));
  const json ended = json::parse(Events().ended("stopping", "this server stops"))["error"];
  EXPECT_EQ(ended, json({{"type", "server_error"}, {"code", "stopping"}, {"message", "this server stops"}}));
}

TEST(Events, AnswerThoseOfTheClient) {
  const json reply =
      json::parse(Events().reply_to(R"({"type": "session.update", "event_id": "mine"})"))["error"];
  EXPECT_EQ(reply["code"], "unsupported_event");
  EXPECT_EQ(reply["event_id"], "mine");
  EXPECT_EQ(reply["message"],
            "session.update: this model takes no turns and has its settings from the start; speak to it");
  for (const char* text : {"hello", "[]", "{\"type\": 3}", ""}) {
    const json other = json::parse(Events().reply_to(text))["error"];
    EXPECT_EQ(other["code"], "invalid_event");
    EXPECT_EQ(other["message"], "expected an event, JSON with a type, found other text");
  }
}

}  // namespace
}  // namespace serve
