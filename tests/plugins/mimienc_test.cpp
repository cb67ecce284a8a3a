// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rig.h"

namespace {

class MimiEnc : public PluginTest {};

constexpr size_t frame = 1920;

TEST_F(MimiEnc, EncodesOneFrameABuffer) {
  Rig rig("mimienc", raw_caps);
  ASSERT_EQ(rig.push(pcm(frame, 0, 0.25F)), GST_FLOW_OK);
  const BufferPtr output = rig.pull();
  EXPECT_EQ(codes_of(output.get()), (std::vector<uint16_t>{1250, 0, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), 0U);
  EXPECT_EQ(GST_BUFFER_DURATION(output.get()), frame_time);
}

TEST_F(MimiEnc, CapsDescribeTheModelsCodec) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  const CapsPtr caps(gst_pad_get_current_caps(rig.harness()->sinkpad));
  const CapsPtr expected(gst_caps_from_string((code_caps() + ", codec-id=mimi-0000fa4e").c_str()));
  EXPECT_TRUE(gst_caps_is_equal(caps.get(), expected.get()));
}

TEST_F(MimiEnc, TakesSixteenBitSamples) {
  Rig rig("mimienc", "audio/x-raw, format=S16LE, layout=interleaved, rate=24000, channels=1");
  const std::vector<int16_t> samples(frame, 16384);
  GstBuffer* buffer = gst_buffer_new_memdup(samples.data(), samples.size() * sizeof(int16_t));
  GST_BUFFER_PTS(buffer) = 0;
  ASSERT_EQ(rig.push(BufferPtr(buffer)), GST_FLOW_OK);
  EXPECT_EQ(codes_of(rig.pull().get())[0], 1500);
}

TEST_F(MimiEnc, CutsAnyBufferSizeIntoFrames) {
  Rig rig("mimienc", raw_caps);
  GstClockTime pts = 0;
  for (int i = 0; i < 48; ++i, pts += 10 * GST_MSECOND) rig.push(pcm(240, pts));
  EXPECT_EQ(rig.outputs(), 6U);
  for (GstClockTime expected = 0; expected < 6 * frame_time; expected += frame_time) {
    EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), expected);
  }
}

TEST_F(MimiEnc, PadsTheLastFrameAndSaysHowMuch) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame + 100, 0));
  rig.push_event(gst_event_new_eos());
  rig.pull();
  const BufferPtr last = rig.pull();
  const auto* clip = gst_buffer_get_audio_clipping_meta(last.get());
  ASSERT_NE(clip, nullptr);
  EXPECT_EQ(clip->format, GST_FORMAT_DEFAULT);
  EXPECT_EQ(clip->start, 0U);
  EXPECT_EQ(clip->end, frame - 100);
  EXPECT_NE(rig.pull_event(GST_EVENT_EOS), nullptr);
}

TEST_F(MimiEnc, EmptyStreamEndsWithoutOutputOrError) {
  Rig rig("mimienc", raw_caps);
  rig.push_event(gst_event_new_eos());
  EXPECT_NE(rig.pull_event(GST_EVENT_EOS), nullptr);
  EXPECT_EQ(rig.outputs(), 0U);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR));
}

TEST_F(MimiEnc, CodebooksProperty) {
  Rig rig("mimienc", raw_caps, [](GstElement* element) { g_object_set(element, "codebooks", 3, nullptr); });
  rig.push(pcm(frame, 0));
  EXPECT_EQ(codes_of(rig.pull().get()).size(), 3U);
}

TEST_F(MimiEnc, GivesDownstreamTheCodebooksItTakes) {
  Rig rig("mimienc");
  gst_harness_set_sink_caps_str(rig.harness(), code_caps(16).c_str());
  gst_harness_set_src_caps_str(rig.harness(), raw_caps);
  rig.push(pcm(frame, 0));
  EXPECT_EQ(codes_of(rig.pull().get()).size(), 16U);
}

TEST_F(MimiEnc, TimeStampsStayExactOverHours) {
  // A rate whose frames are no whole number of nanoseconds.
  fake::settings().codec.sample_rate = 22050;
  Rig rig("mimienc", "audio/x-raw, format=F32LE, layout=interleaved, rate=22050, channels=1");
  constexpr guint64 frames = 100'000;
  for (guint64 i = 0; i < frames; ++i) {
    // Upstream rounds and jitters by a millisecond.
    const GstClockTime pts = gst_util_uint64_scale(i * frame, GST_SECOND, 22050) + (i % 2) * GST_MSECOND;
    rig.push(pcm(frame, pts));
    ASSERT_EQ(GST_BUFFER_PTS(rig.pull().get()), gst_util_uint64_scale(i * frame, GST_SECOND, 22050));
  }
  EXPECT_EQ(rig.stat("resyncs"), 0U);
}

TEST_F(MimiEnc, GapBecomesSilence) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  ASSERT_TRUE(rig.push_event(gst_event_new_gap(frame_time, 3 * frame_time)));
  rig.push(pcm(frame, 4 * frame_time));
  EXPECT_EQ(rig.outputs(), 5U);
  for (int i = 0; i < 5; ++i) {
    const BufferPtr output = rig.pull();
    EXPECT_EQ(GST_BUFFER_PTS(output.get()), static_cast<GstClockTime>(i) * frame_time);
    EXPECT_EQ(codes_of(output.get())[0], i == 0 || i == 4 ? 1250 : 1000);
    EXPECT_EQ(codes_of(output.get())[1], std::min(i, 3)) << "the codec's state was not kept";
  }
}

TEST_F(MimiEnc, TenThousandSmallGapsAddUpExactly) {
  Rig rig("mimienc", raw_caps,
          [](GstElement* element) { g_object_set(element, "max-gap", GST_CLOCK_TIME_NONE, nullptr); });
  constexpr GstClockTime step = 10'010'000;  // Not a whole number of samples.
  for (guint64 i = 0; i < 10'000; ++i) ASSERT_TRUE(rig.push_event(gst_event_new_gap(i * step, step)));
  EXPECT_EQ(rig.outputs(), 10'000 * step / frame_time);
  rig.push(pcm(frame, 10'000 * step));
  EXPECT_EQ(rig.stat("resyncs"), 0U);
}

TEST_F(MimiEnc, LongGapStartsTheCodecAnew) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  rig.push(pcm(100, frame_time));
  const GstClockTime start = frame_time + gst_util_uint64_scale(100, GST_SECOND, 24000);
  ASSERT_TRUE(rig.push_event(gst_event_new_gap(start, 10 * GST_SECOND)));
  EXPECT_EQ(rig.outputs(), 2U) << "the frame under way is completed, no more";
  rig.pull();
  rig.pull();
  const EventPtr gap = rig.pull_event(GST_EVENT_GAP);
  GstClockTime gap_start = 0;
  gst_event_parse_gap(gap.get(), &gap_start, nullptr);
  EXPECT_EQ(gap_start, 2 * frame_time);
  rig.push(pcm(frame, start + 10 * GST_SECOND));
  const BufferPtr output = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), start + 10 * GST_SECOND);
  EXPECT_EQ(codes_of(output.get())[1], 0) << "state of before the gap";
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_DISCONT));
}

TEST_F(MimiEnc, TenThousandGapsWithoutEndNeedNoOutput) {
  Rig rig("mimienc", raw_caps);
  for (guint64 i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(rig.push_event(gst_event_new_gap(i * 20 * GST_MSECOND, 20 * GST_MSECOND)));
  }
  EXPECT_EQ(rig.outputs(), 25U) << "two seconds of silence";
  rig.push(pcm(frame, 200 * GST_SECOND));
  for (int i = 0; i < 25; ++i) rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), 200 * GST_SECOND);
}

TEST_F(MimiEnc, UnannouncedJumpIsFilledAndCounted) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  rig.push(pcm(frame, 3 * frame_time));
  EXPECT_EQ(rig.outputs(), 4U);
  EXPECT_EQ(rig.stat("resyncs"), 1U);
}

TEST_F(MimiEnc, JumpBackStartsTheCodecAnew) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, GST_SECOND));
  rig.push(pcm(100, GST_SECOND + frame_time));
  ASSERT_EQ(rig.push(pcm(frame, 0)), GST_FLOW_OK);
  rig.pull();
  rig.pull();
  const BufferPtr output = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), 0U);
  EXPECT_EQ(codes_of(output.get())[1], 0);
  EXPECT_EQ(rig.stat("resyncs"), 1U);
}

TEST_F(MimiEnc, BuffersShorterThanWhatIsRepeatedAreLeftOut) {
  constexpr int quarter = frame / 4;
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  // 50 ms back: the first two have been heard, the third is within the tolerance.
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(rig.push(pcm(quarter, 30 * GST_MSECOND + static_cast<GstClockTime>(i) * frame_time / 4)),
              GST_FLOW_OK);
  }
  EXPECT_EQ(rig.outputs(), 2U);
  rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), frame_time);
}

TEST_F(MimiEnc, JitterWithinTheToleranceIsIgnored) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  BufferPtr late = pcm(frame, frame_time + 39 * GST_MSECOND);
  GST_BUFFER_FLAG_SET(late.get(), GST_BUFFER_FLAG_DISCONT);
  rig.push(std::move(late));
  rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), frame_time);
  EXPECT_EQ(rig.stat("resyncs"), 0U);
}

TEST_F(MimiEnc, FlushStartsTheCodecAnew) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  rig.push(pcm(100, frame_time));
  rig.seek_flush();
  rig.push(pcm(frame, 5 * GST_SECOND));
  rig.pull();
  const BufferPtr output = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), 5 * GST_SECOND);
  EXPECT_EQ(codes_of(output.get())[1], 0);
}

TEST_F(MimiEnc, EndOfInputCompletesTheFrameFirst) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame + 100, 0));
  rig.push_event(
      gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("moshi-end-of-input")));
  EXPECT_EQ(rig.outputs(), 2U);
  EXPECT_NE(rig.pull_event(GST_EVENT_CUSTOM_DOWNSTREAM), nullptr);
  // Silence follows where the speech ended, in frames of its own and without a jump.
  rig.push(pcm(frame, frame_time + gst_util_uint64_scale(100, GST_SECOND, 24000), 0.0F));
  rig.pull();
  rig.pull();
  const BufferPtr output = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), 2 * frame_time);
  EXPECT_EQ(codes_of(output.get())[1], 2);
  EXPECT_EQ(rig.stat("resyncs"), 0U);
}

TEST_F(MimiEnc, DeclaresAFrameAndItsBudgetAsLatency) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  EXPECT_EQ(gst_harness_query_latency(rig.harness()), frame_time + 20 * GST_MSECOND);
  while (rig.has_message(GST_MESSAGE_LATENCY)) {
  }
  g_object_set(rig.element(), "latency", 33, nullptr);
  EXPECT_TRUE(rig.has_message(GST_MESSAGE_LATENCY));
  EXPECT_EQ(gst_harness_query_latency(rig.harness()), frame_time + 33 * GST_MSECOND);
}

TEST_F(MimiEnc, StatsHaveAllFields) {
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(frame, 0));
  GstStructure* raw = nullptr;
  g_object_get(rig.element(), "stats", &raw, nullptr);
  const StructurePtr stats(raw);
  EXPECT_STREQ(gst_structure_get_name(stats.get()), "application/x-mimienc-stats");
  for (const char* name :
       {"frames-in", "frames-out", "frames-dropped", "frames-concealed", "frames-late", "resyncs", "backlog",
        "step-ms-p50", "step-ms-p99", "step-ms-max", "batch-mean", "latency-ms", "device", "precision",
        "graphs", "frame-ms-p50", "frame-ms-p99", "callers"}) {
    EXPECT_TRUE(gst_structure_has_field(stats.get(), name)) << name;
  }
  gdouble p99 = 0;
  gst_structure_get_double(stats.get(), "step-ms-p99", &p99);
  EXPECT_EQ(p99, 2.5);
  EXPECT_STREQ(gst_structure_get_string(stats.get(), "device"), "cpu");
  EXPECT_EQ(rig.stat("frames-in"), 1U);
  EXPECT_EQ(rig.stat("frames-out"), 1U);
}

}  // namespace
