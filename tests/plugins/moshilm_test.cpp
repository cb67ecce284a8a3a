// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rig.h"

namespace {

class MoshiLm : public PluginTest {
 protected:
  static void push_frames(Rig& rig, int count, int first = 0) {
    for (int i = first; i < first + count; ++i) {
      ASSERT_EQ(rig.push(codes(8, static_cast<GstClockTime>(i) * frame_time, static_cast<uint16_t>(i))),
                GST_FLOW_OK);
    }
  }
  static void end_input(Rig& rig) {
    rig.push_event(
        gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("moshi-end-of-input")));
  }
};

/// A second harness on the text pad.
class TextPad {
 public:
  explicit TextPad(Rig& rig) : harness_(gst_harness_new_with_element(rig.element(), nullptr, "text_src")) {}
  ~TextPad() { gst_harness_teardown(harness_); }
  TextPad(const TextPad&) = delete;
  TextPad& operator=(const TextPad&) = delete;
  [[nodiscard]] GstHarness* harness() const { return harness_; }
  BufferPtr pull() { return BufferPtr(gst_harness_pull(harness_)); }
  EventPtr pull_event(GstEventType type) {
    for (;;) {
      EventPtr event(gst_harness_pull_event(harness_));
      if (!event || GST_EVENT_TYPE(event.get()) == type) return event;
    }
  }

 private:
  GstHarness* harness_;
};

TEST_F(MoshiLm, OneFrameOutForEachFrameIn) {
  Rig rig("moshilm", code_caps());
  push_frames(rig, 5);
  for (int i = 0; i < 5; ++i) {
    const BufferPtr output = rig.pull();
    EXPECT_EQ(codes_of(output.get()), std::vector<uint16_t>(8, static_cast<uint16_t>(i + 1)));
    EXPECT_EQ(GST_BUFFER_PTS(output.get()), static_cast<GstClockTime>(i) * frame_time);
    EXPECT_EQ(GST_BUFFER_DURATION(output.get()), frame_time);
    EXPECT_EQ(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_DISCONT), i == 0);
  }
  EXPECT_EQ(fake::log().lm_codes.size(), 6U) << "the first frame is stepped twice";
}

TEST_F(MoshiLm, SkippingTheFirstFrame) {
  Rig rig("moshilm", code_caps(),
          [](GstElement* element) { gst_util_set_object_arg(G_OBJECT(element), "first-frame", "skip"); });
  push_frames(rig, 3);
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), frame_time);
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), 2 * frame_time);
  EXPECT_EQ(fake::log().lm_codes.size(), 3U);
}

TEST_F(MoshiLm, LargerDelaysGiveFewerFrames) {
  fake::settings().lm.max_delay = 3;
  Rig rig("moshilm", code_caps());
  push_frames(rig, 5);
  rig.push_event(gst_event_new_eos());
  rig.pull_event(GST_EVENT_EOS);
  EXPECT_EQ(rig.outputs(), 3U);
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), 2 * frame_time);
}

TEST_F(MoshiLm, TakesTheFirstCodebooksOfMore) {
  Rig rig("moshilm", code_caps(32));
  ASSERT_EQ(rig.push(codes(32, 0)), GST_FLOW_OK);
  EXPECT_EQ(codes_of(rig.pull().get()).size(), 8U);
  EXPECT_EQ(fake::log().lm_codes.at(0).size(), 8U);
}

TEST_F(MoshiLm, OutputCapsCarryTheInputsCodecId) {
  Rig rig("moshilm", code_caps(16) + ", codec-id=mimi-12345678");
  ASSERT_EQ(rig.push(codes(16, 0)), GST_FLOW_OK);
  rig.pull();
  const CapsPtr caps(gst_pad_get_current_caps(rig.harness()->sinkpad));
  const CapsPtr expected(gst_caps_from_string((code_caps() + ", codec-id=mimi-12345678").c_str()));
  EXPECT_TRUE(gst_caps_is_equal(caps.get(), expected.get()));
}

TEST_F(MoshiLm, TellsMimiencHowManyCodebooksItNeeds) {
  fake::settings().lm.user_codebooks = 16;
  Rig rig("moshilm");
  GstPad* pad = gst_element_get_static_pad(rig.element(), "sink");
  const CapsPtr caps(gst_pad_query_caps(pad, nullptr));
  gst_object_unref(pad);
  const CapsPtr few(gst_caps_from_string(code_caps(15).c_str()));
  const CapsPtr enough(gst_caps_from_string(code_caps(16).c_str()));
  EXPECT_FALSE(gst_caps_can_intersect(caps.get(), few.get()));
  EXPECT_TRUE(gst_caps_can_intersect(caps.get(), enough.get()));
}

TEST_F(MoshiLm, TextComesInPiecesWithGapsBetween) {
  fake::settings().text = {3, 10, 0, 11};
  Rig rig("moshilm", code_caps());
  TextPad text(rig);
  push_frames(rig, 4);
  const BufferPtr first = text.pull();
  EXPECT_EQ(std::string(" w10"),
            std::string(reinterpret_cast<const char*>(samples_of(first.get()).data()), 4));
  EXPECT_EQ(GST_BUFFER_PTS(first.get()), frame_time);
  EXPECT_EQ(GST_BUFFER_DURATION(first.get()), frame_time);
  EXPECT_EQ(GST_BUFFER_PTS(text.pull().get()), 3 * frame_time);
  const EventPtr gap = text.pull_event(GST_EVENT_GAP);
  GstClockTime start = 1;
  GstClockTime duration = 0;
  gst_event_parse_gap(gap.get(), &start, &duration);
  EXPECT_EQ(start, 0U);
  EXPECT_EQ(duration, frame_time);
  EXPECT_FALSE(gst_structure_has_field(gst_event_get_structure(gap.get()), "word-start"));
  const EventPtr announcement = text.pull_event(GST_EVENT_GAP);
  EXPECT_TRUE(gst_structure_has_field(gst_event_get_structure(announcement.get()), "word-start"));
  rig.push_event(gst_event_new_eos());
  EXPECT_NE(text.pull_event(GST_EVENT_EOS), nullptr);
}

TEST_F(MoshiLm, TextIsAskedForOnlyWithItsPad) {
  {
    Rig rig("moshilm", code_caps());
    push_frames(rig, 1);
    rig.pull();
    EXPECT_FALSE(fake::log().lm_options.text);
  }
  Rig rig("moshilm", code_caps(),
          [](GstElement* element) { gst_object_unref(gst_element_request_pad_simple(element, "text_src")); });
  push_frames(rig, 1);
  rig.pull();
  EXPECT_TRUE(fake::log().lm_options.text);
}

TEST_F(MoshiLm, StuckOrUnlinkedTextNeverStopsTheAudio) {
  fake::settings().text.assign(200, 10);
  Rig rig("moshilm", code_caps(),
          [](GstElement* element) { gst_object_unref(gst_element_request_pad_simple(element, "text_src")); });
  push_frames(rig, 50);
  for (int i = 0; i < 50; ++i) ASSERT_NE(rig.pull(), nullptr);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR));
}

TEST_F(MoshiLm, TextPadMayComeAndGoWhileDataFlows) {
  fake::settings().text.assign(200, 10);
  Rig rig("moshilm", code_caps());
  push_frames(rig, 2);
  rig.pull();
  rig.pull();
  {
    TextPad text(rig);
    push_frames(rig, 1, 2);
    EXPECT_EQ(GST_BUFFER_PTS(text.pull().get()), 2 * frame_time);
    GstPad* pad = gst_element_get_static_pad(rig.element(), "text_src");
    GstPadTemplate* type = gst_element_get_pad_template(rig.element(), "text_src");
    EXPECT_EQ(gst_element_request_pad(rig.element(), type, nullptr, nullptr), nullptr) << "there is one only";
    gst_element_release_request_pad(rig.element(), pad);
    gst_object_unref(pad);
  }
  push_frames(rig, 1, 3);
  rig.pull();
  EXPECT_NE(rig.pull(), nullptr);
}

TEST_F(MoshiLm, TranscribingModelSendsTextAndGaps) {
  fake::settings().lm.dep_q = 0;
  fake::settings().lm.output_codebooks = 0;
  fake::settings().lm.max_delay = 0;
  fake::settings().lm.model_type = "stt";
  fake::settings().text = {10, 11, 12};
  Rig rig("moshilm", code_caps());
  TextPad text(rig);
  push_frames(rig, 2);
  EXPECT_NE(rig.pull_event(GST_EVENT_GAP), nullptr);
  EXPECT_EQ(GST_BUFFER_PTS(text.pull().get()), 0U);
  EXPECT_EQ(GST_BUFFER_PTS(text.pull().get()), frame_time);
  rig.push_event(gst_event_new_eos());
  rig.pull_event(GST_EVENT_EOS);
  EXPECT_EQ(rig.outputs(), 0U);
}

TEST_F(MoshiLm, TranslationEndsWithItsTextsEnd) {
  fake::settings().lm.model_type = "hibiki";
  fake::settings().lm.max_delay = 2;
  fake::settings().text = {2, 10, 11, 2};
  Rig rig("moshilm", code_caps());
  push_frames(rig, 2);
  end_input(rig);
  for (int i = 2; i < 50; ++i) {
    if (rig.push(codes(8, static_cast<GstClockTime>(i) * frame_time, 7)) == GST_FLOW_EOS) break;
  }
  EXPECT_NE(rig.pull_event(GST_EVENT_EOS), nullptr);
  EXPECT_EQ(rig.push(codes(8, 60 * frame_time, 7)), GST_FLOW_EOS);
  // An early end is no end; frames: calls 0 0 1 mark 2 3, of which 2 to 5 give output.
  EXPECT_EQ(rig.outputs(), 4U);
  EXPECT_EQ(fake::log().lm_codes.at(3), std::vector<uint16_t>(8, 2048));
  GstClockTime expected = frame_time;
  for (int i = 0; i < 4; ++i, expected += frame_time) EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), expected);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR));
}

TEST_F(MoshiLm, OtherModelsIgnoreTheEndOfInput) {
  Rig rig("moshilm", code_caps());
  push_frames(rig, 1);
  end_input(rig);
  push_frames(rig, 1, 1);
  rig.pull();
  rig.pull();
  EXPECT_EQ(fake::log().lm_codes.size(), 3U);
}

TEST_F(MoshiLm, ConversationSettings) {
  fake::settings().lm.sampling.text_top_k = 50;
  fake::settings().lm.sampling.audio_temperature = 0.6F;
  Rig rig("moshilm", code_caps(), [](GstElement* element) {
    GstStructure* conditions =
        gst_structure_new("conditions", "description", G_TYPE_STRING, "very_good", nullptr);
    g_object_set(element, "text-temperature", 0.5F, "audio-top-k", 100, "seed", G_GUINT64_CONSTANT(42),
                 "cfg-coef", 3.0F, "conditions", conditions, "max-sessions", 4, nullptr);
    gst_util_set_object_arg(G_OBJECT(element), "precision", "bf16");
    gst_util_set_object_arg(G_OBJECT(element), "kv-precision", "int8");
    gst_structure_free(conditions);
  });
  push_frames(rig, 1);
  rig.pull();
  const fake::Log log = fake::log();
  EXPECT_EQ(log.session_options.sampling.text_temperature, 0.5F);
  EXPECT_EQ(log.session_options.sampling.text_top_k, 50) << "not the checkpoint's default";
  EXPECT_EQ(log.session_options.sampling.audio_temperature, 0.6F);
  EXPECT_EQ(log.session_options.sampling.audio_top_k, 100);
  EXPECT_EQ(log.session_options.sampling.seed, 42U);
  EXPECT_EQ(log.session_options.sampling.cfg_coef, 3.0F);
  EXPECT_FALSE(log.session_options.sampling.greedy);
  ASSERT_EQ(log.session_options.conditions.size(), 1U);
  EXPECT_EQ(log.session_options.conditions[0],
            std::make_pair(std::string("description"), std::string("very_good")));
  EXPECT_FALSE(log.session_options.live);
  EXPECT_EQ(log.lm_options.precision, moshi::Precision::BF16);
  EXPECT_EQ(log.lm_options.kv_precision, moshi::KvPrecision::Int8);
  EXPECT_EQ(log.lm_options.max_sessions, 4);
}

TEST_F(MoshiLm, FlushStartsTheConversationAnew) {
  Rig rig("moshilm", code_caps());
  push_frames(rig, 2);
  rig.pull();
  rig.pull();
  const int resets = fake::log().resets;
  rig.seek_flush();
  ASSERT_EQ(rig.push(codes(8, GST_SECOND)), GST_FLOW_OK);
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), GST_SECOND);
  EXPECT_EQ(fake::log().resets, resets + 1);
}

TEST_F(MoshiLm, GapsOfAFileArePassedOn) {
  Rig rig("moshilm", code_caps());
  TextPad text(rig);
  push_frames(rig, 1);
  for (guint64 i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(rig.push_event(gst_event_new_gap((1 + i) * frame_time, frame_time)));
  }
  ASSERT_EQ(rig.push(codes(8, 10'001 * frame_time)), GST_FLOW_OK);
  rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), 10'001 * frame_time);
  EXPECT_EQ(rig.stat("resyncs"), 0U);
}

TEST_F(MoshiLm, JumpsAreFollowedAndCounted) {
  Rig rig("moshilm", code_caps());
  push_frames(rig, 1);
  ASSERT_EQ(rig.push(codes(8, 10 * frame_time)), GST_FLOW_OK);
  rig.pull();
  const BufferPtr output = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), 10 * frame_time);
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_DISCONT));
  EXPECT_EQ(rig.stat("resyncs"), 1U);
}

TEST_F(MoshiLm, TimeStampsStayExactOverHours) {
  fake::settings().codec.sample_rate = 22050;
  Rig rig("moshilm", code_caps(8, 22050));
  for (guint64 i = 0; i < 100'000; ++i) {
    const GstClockTime exact = gst_util_uint64_scale(i * 1920, GST_SECOND, 22050);
    rig.push(codes(8, exact + (i % 3) * GST_MSECOND));
    ASSERT_EQ(GST_BUFFER_PTS(rig.pull().get()), exact);
  }
}

TEST_F(MoshiLm, EmptyStreamEndsWithoutError) {
  Rig rig("moshilm", code_caps());
  TextPad text(rig);
  rig.push_event(gst_event_new_eos());
  EXPECT_NE(rig.pull_event(GST_EVENT_EOS), nullptr);
  EXPECT_NE(text.pull_event(GST_EVENT_EOS), nullptr);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR));
}

TEST_F(MoshiLm, DeclaresItsBudgetAsLatency) {
  Rig rig("moshilm", code_caps());
  EXPECT_EQ(gst_harness_query_latency(rig.harness()), 40 * GST_MSECOND);
  g_object_set(rig.element(), "latency", 50, nullptr);
  EXPECT_TRUE(rig.has_message(GST_MESSAGE_LATENCY));
  EXPECT_EQ(gst_harness_query_latency(rig.harness()), 50 * GST_MSECOND);
}

TEST_F(MoshiLm, ClippingIsNotPassedOn) {
  Rig rig("moshilm", code_caps());
  BufferPtr buffer = codes(8, 0);
  gst_buffer_add_audio_clipping_meta(buffer.get(), GST_FORMAT_DEFAULT, 0, 100);
  GST_BUFFER_DURATION(buffer.get()) = GST_MSECOND;
  rig.push(std::move(buffer));
  const BufferPtr output = rig.pull();
  EXPECT_EQ(gst_buffer_get_audio_clipping_meta(output.get()), nullptr);
  EXPECT_EQ(GST_BUFFER_DURATION(output.get()), frame_time);
}

TEST_F(MoshiLm, FilesWaitWhateverThePolicy) {
  Rig rig("moshilm", code_caps(), [](GstElement* element) {
    g_object_set(element, "max-backlog", 1, nullptr);
    gst_util_set_object_arg(G_OBJECT(element), "late-policy", "drop-user");
  });
  push_frames(rig, 100);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(codes_of(rig.pull().get())[0], i + 1);
  EXPECT_EQ(rig.stat("frames-dropped"), 0U);
}

}  // namespace
