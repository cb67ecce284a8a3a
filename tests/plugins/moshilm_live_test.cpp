// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Live streams: silence for a starved conversation, late frames, backlog.
#include "rig.h"

namespace {

class Live : public PluginTest {
 protected:
  static constexpr GstClockTime upstream = 100 * GST_MSECOND;
  static constexpr GstClockTime budget = 40 * GST_MSECOND;
  static constexpr GstClockTime step = 1'500 * GST_USECOND;  // As the engine says.

  static void push_frame(Rig& rig, guint64 index, uint16_t code) {
    ASSERT_EQ(rig.push(codes(8, index * frame_time, code)), GST_FLOW_OK);
  }
  static Rig::Configure policy(const char* name, int max_backlog) {
    return [=](GstElement* element) {
      g_object_set(element, "max-backlog", max_backlog, nullptr);
      gst_util_set_object_arg(G_OBJECT(element), "late-policy", name);
    };
  }
  /// A running conversation whose next step does not end.
  static void stall(Rig& rig) {
    rig.go_live(upstream);
    push_frame(rig, 0, 1);
    rig.pull();
    fake::block(true);
    push_frame(rig, 1, 11);
    fake::wait_until_blocked();
  }
  static std::vector<int> rest(Rig& rig, int count) {
    fake::block(false);
    std::vector<int> codes;
    for (int i = 0; i < count; ++i) codes.push_back(codes_of(rig.pull().get())[0] - 1);
    return codes;
  }
};

TEST_F(Live, StarvedConversationHearsSilence) {
  Rig rig("moshilm", code_caps());
  rig.go_live(upstream);
  push_frame(rig, 0, 5);
  rig.pull();
  ASSERT_TRUE(gst_harness_wait_for_clock_id_waits(rig.harness(), 1, 20));
  ASSERT_TRUE(gst_harness_crank_single_clock_wait(rig.harness()));
  GstTestClock* clock = gst_harness_get_testclock(rig.harness());
  EXPECT_EQ(gst_clock_get_time(GST_CLOCK(clock)), frame_time + upstream + budget - step);
  gst_object_unref(clock);
  const BufferPtr output = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), frame_time);
  EXPECT_EQ(codes_of(output.get()), (std::vector<uint16_t>{1001, 4, 3, 4, 5, 6, 7, 8}))
      << "not what the encoder makes of zeros";
  EXPECT_EQ(rig.stat("frames-concealed"), 1U);
  EXPECT_EQ(fake::log().codec_loads, 1);
  EXPECT_TRUE(fake::log().session_options.live);
  // What comes too late for its place is dropped, what comes in time goes on.
  push_frame(rig, 1, 6);
  push_frame(rig, 2, 7);
  const BufferPtr next = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(next.get()), 2 * frame_time);
  EXPECT_EQ(codes_of(next.get())[0], 8);
  EXPECT_EQ(rig.stat("frames-dropped"), 1U);
}

TEST_F(Live, SlowEncodersFramesAreLateNotLost) {
  Rig rig("moshilm", code_caps());
  rig.go_live(upstream);
  const GstClockTime delay = upstream + 70 * GST_MSECOND;
  g_object_set(rig.element(), "latency", 40, nullptr);
  for (guint64 i = 0; i < 50; ++i) {
    rig.set_time(i * frame_time + delay);
    push_frame(rig, i, static_cast<uint16_t>(i));
    rig.pull();
  }
  ASSERT_TRUE(gst_harness_wait_for_clock_id_waits(rig.harness(), 1, 20));
  GstTestClock* clock = gst_harness_get_testclock(rig.harness());
  EXPECT_EQ(gst_test_clock_get_next_entry_time(clock), 50 * frame_time + delay + budget - step);
  gst_object_unref(clock);
}

TEST_F(Live, FilesNeedNoCodecForSilence) {
  Rig rig("moshilm", code_caps());
  push_frame(rig, 0, 5);
  rig.pull();
  EXPECT_EQ(fake::log().codec_loads, 0);
}

TEST_F(Live, CatchUpDropsTheOldestBeyondTheBacklog) {
  Rig rig("moshilm", code_caps(), policy("catch-up", 3));
  stall(rig);
  for (guint64 i = 2; i < 5; ++i) push_frame(rig, i, static_cast<uint16_t>(10 + i));
  EXPECT_EQ(rig.stat("frames-dropped"), 0U);
  push_frame(rig, 5, 15);
  EXPECT_EQ(rig.stat("frames-dropped"), 1U);
  EXPECT_EQ(rig.stat("backlog"), 3U);
  EXPECT_TRUE(rig.has_message(GST_MESSAGE_QOS));
  EXPECT_EQ(rest(rig, 4), (std::vector<int>{11, 13, 14, 15}));
  const EventPtr gap = rig.pull_event(GST_EVENT_GAP);
  GstClockTime start = 0;
  gst_event_parse_gap(gap.get(), &start, nullptr);
  EXPECT_EQ(start, 2 * frame_time) << "the lost frame's time";
}

TEST_F(Live, SilenceIsDroppedFirst) {
  Rig rig("moshilm", code_caps(), policy("catch-up", 3));
  stall(rig);
  push_frame(rig, 2, 12);
  push_frame(rig, 3, 1000);
  push_frame(rig, 4, 14);
  push_frame(rig, 5, 15);
  EXPECT_EQ(rest(rig, 4), (std::vector<int>{11, 12, 14, 15}));
}

TEST_F(Live, SilenceIsDroppedAllAtOnce) {
  Rig rig("moshilm", code_caps(), policy("catch-up", 3));
  stall(rig);
  push_frame(rig, 2, 1000);
  push_frame(rig, 3, 13);
  push_frame(rig, 4, 1000);
  push_frame(rig, 5, 15);
  EXPECT_EQ(rig.stat("frames-dropped"), 2U);
  EXPECT_EQ(rest(rig, 3), (std::vector<int>{11, 13, 15}));
}

TEST_F(Live, ASoundThatStaysTheSameCountsAsSilence) {
  Rig rig("moshilm", code_caps(), policy("catch-up", 7));
  stall(rig);
  push_frame(rig, 2, 12);
  for (guint64 i = 3; i < 10; ++i) push_frame(rig, i, 7);
  EXPECT_EQ(rig.stat("frames-dropped"), 3U) << "the fifth of its kind and those that follow";
  EXPECT_EQ(rest(rig, 6), (std::vector<int>{11, 12, 7, 7, 7, 7}));
}

TEST_F(Live, DropUserKeepsNoBacklog) {
  Rig rig("moshilm", code_caps(), policy("drop-user", 3));
  stall(rig);
  for (guint64 i = 2; i < 5; ++i) push_frame(rig, i, static_cast<uint16_t>(10 + i));
  EXPECT_EQ(rig.stat("frames-dropped"), 2U);
  EXPECT_EQ(rest(rig, 2), (std::vector<int>{11, 14}));
}

TEST_F(Live, BlockLosesNothing) {
  Rig rig("moshilm", code_caps(), policy("block", 3));
  stall(rig);
  for (guint64 i = 2; i < 5; ++i) push_frame(rig, i, static_cast<uint16_t>(10 + i));
  fake::block(false);
  push_frame(rig, 5, 15);
  EXPECT_EQ(rest(rig, 5), (std::vector<int>{11, 12, 13, 14, 15}));
}

TEST_F(Live, StarvationTimeoutSaysWhenSilenceIsStepped) {
  Rig rig("moshilm", code_caps(), [](GstElement* element) {
    g_object_set(element, "starvation-timeout", 300 * GST_MSECOND, nullptr);
  });
  rig.go_live(upstream);
  push_frame(rig, 0, 5);
  rig.pull();
  ASSERT_TRUE(gst_harness_wait_for_clock_id_waits(rig.harness(), 1, 20));
  GstTestClock* clock = gst_harness_get_testclock(rig.harness());
  EXPECT_EQ(gst_test_clock_get_next_entry_time(clock), frame_time + upstream + 300 * GST_MSECOND);
  g_object_set(rig.element(), "starvation-timeout", 0, nullptr);  // The wait under way ends, too.
  while (gst_test_clock_get_next_entry_time(clock) != frame_time + upstream) g_thread_yield();
  gst_object_unref(clock);
}

TEST_F(Live, LostFramesOfABurstAreHeardAsSilence) {
  Rig rig("moshilm", code_caps());
  stall(rig);
  push_frame(rig, 2, 12);
  push_frame(rig, 5, 15);
  EXPECT_EQ(rest(rig, 5), (std::vector<int>{11, 12, 1000, 1000, 15}));
  EXPECT_EQ(rig.stat("frames-concealed"), 2U);
  EXPECT_EQ(rig.stat("resyncs"), 0U);
}

TEST_F(Live, DiscontFollowsWhatIsDropped) {
  Rig rig("moshilm", code_caps(), policy("catch-up", 1));
  stall(rig);
  push_frame(rig, 2, 12);
  push_frame(rig, 3, 13);
  push_frame(rig, 4, 14);
  fake::block(false);
  for (const guint64 index : {1, 4}) {
    const BufferPtr output = rig.pull();
    EXPECT_EQ(GST_BUFFER_PTS(output.get()), index * frame_time);
    EXPECT_EQ(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_DISCONT), index == 4);
  }
}

TEST_F(Live, ASmallerBacklogHoldsAtOnce) {
  Rig rig("moshilm", code_caps(), policy("catch-up", 10));
  stall(rig);
  for (guint64 i = 2; i < 10; ++i) push_frame(rig, i, static_cast<uint16_t>(10 + i));
  g_object_set(rig.element(), "max-backlog", 2, nullptr);
  push_frame(rig, 10, 20);
  EXPECT_EQ(rig.stat("backlog"), 2U);
  EXPECT_EQ(rig.stat("frames-dropped"), 7U);
  EXPECT_EQ(rest(rig, 3), (std::vector<int>{11, 19, 20}));
}

class ContextPolicy : public Live, public ::testing::WithParamInterface<const char*> {};

TEST_P(ContextPolicy, FullConversationGoesOn) {
  fake::settings().lm.context = 20;
  const bool restarts = GetParam() == std::string("restart-in-silence");
  Rig rig("moshilm", code_caps(), [](GstElement* element) {
    gst_util_set_object_arg(G_OBJECT(element), "context-policy", GetParam());
  });
  rig.go_live(upstream);
  const int resets = 1;  // At its beginning.
  const auto speak = [&](guint64 from, guint64 to, uint16_t code) {
    for (guint64 i = from; i < to; ++i) {
      push_frame(rig, i, code);
      ASSERT_EQ(GST_BUFFER_PTS(rig.pull().get()), i * frame_time);
    }
  };
  const int before = fake::log().resets;
  speak(0, 15, 1000);
  EXPECT_EQ(fake::log().resets, before + resets) << "a pause, but the context is not full";
  speak(15, 100, 7);
  EXPECT_EQ(fake::log().resets, before + resets) << "full, but the user speaks";
  speak(100, 112, 1000);
  EXPECT_EQ(fake::log().resets, before + resets) << "too short a pause";
  speak(112, 115, 1000);
  EXPECT_EQ(fake::log().resets, before + resets + (restarts ? 1 : 0));
  EXPECT_EQ(rig.stat("restarts"), restarts ? 1U : 0U);
  EXPECT_EQ(rig.stat("frames-out"), 115U) << "time goes on without a hole";
}

INSTANTIATE_TEST_SUITE_P(Policies, ContextPolicy, ::testing::Values("ring", "restart-in-silence"),
                         [](const auto& info) { return std::string(info.param).substr(0, 4); });

struct LateCase {
  const char* factory;
  std::string caps;
};

class Late : public PluginTest, public ::testing::WithParamInterface<LateCase> {
 protected:
  static BufferPtr frame(guint64 index) {
    const GstClockTime pts = index * frame_time;
    return std::string(GetParam().factory) == "mimienc" ? pcm(1920, pts) : codes(8, pts);
  }
};

TEST_P(Late, IsReportedOncePerNewMaximum) {
  Rig rig(GetParam().factory, GetParam().caps);
  rig.go_live(0);
  const auto push_at = [&](guint64 index, GstClockTime late) {
    const GstClockTime due = index * frame_time + gst_harness_query_latency(rig.harness());
    rig.set_time(due + late);
    rig.push(frame(index));
    rig.pull();
  };
  push_at(0, 0);
  EXPECT_EQ(rig.stat("frames-late"), 0U);
  push_at(1, 500 * GST_MSECOND);
  const MessagePtr warning = rig.message(GST_MESSAGE_WARNING);
  EXPECT_EQ(error_text(warning.get())
                .rfind("gst-core-error-quark " + std::to_string(GST_CORE_ERROR_CLOCK) +
                           ": frames are up to 500 ms late",
                       0),
            0U)
      << error_text(warning.get());
  const GstStructure* details = nullptr;
  gst_message_parse_warning_details(warning.get(), &details);
  guint64 late_ms = 0;
  guint64 late_frames = 0;
  ASSERT_TRUE(gst_structure_get(details, "late-ms", G_TYPE_UINT64, &late_ms, "frames-late", G_TYPE_UINT64,
                                &late_frames, nullptr));
  EXPECT_EQ(late_ms, 500U);
  EXPECT_EQ(late_frames, 1U);
  const MessagePtr qos = rig.message(GST_MESSAGE_QOS);
  gint64 jitter = 0;
  gst_message_parse_qos_values(qos.get(), &jitter, nullptr, nullptr);
  EXPECT_EQ(jitter, static_cast<gint64>(500 * GST_MSECOND));
  push_at(2, 500 * GST_MSECOND);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_WARNING)) << "no new maximum";
  push_at(3, 900 * GST_MSECOND);
  EXPECT_TRUE(rig.has_message(GST_MESSAGE_WARNING));
  EXPECT_EQ(rig.stat("frames-late"), 3U);
}

INSTANTIATE_TEST_SUITE_P(Elements, Late,
                         ::testing::Values(LateCase{"mimienc", raw_caps}, LateCase{"moshilm", code_caps()},
                                           LateCase{"mimidec", code_caps()}),
                         [](const auto& info) { return std::string(info.param.factory); });

TEST_F(PluginTest, FilesAreNeverLate) {
  Rig rig("mimienc", raw_caps);
  gst_harness_use_testclock(rig.harness());
  rig.set_time(3600 * GST_SECOND);
  rig.push(pcm(1920, 0));
  EXPECT_EQ(rig.stat("frames-late"), 0U);
}

}  // namespace
