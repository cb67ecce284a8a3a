// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <cmath>

#include "rig.h"

namespace {

class MimiDec : public PluginTest {};

constexpr size_t frame = 1920;

TEST_F(MimiDec, DecodesOneFrameABuffer) {
  Rig rig("mimidec", code_caps());
  ASSERT_EQ(rig.push(codes(8, 0, 1500)), GST_FLOW_OK);
  const BufferPtr output = rig.pull();
  EXPECT_EQ(samples_of(output.get()), std::vector<float>(frame, 0.5F));
  EXPECT_EQ(GST_BUFFER_DURATION(output.get()), frame_time);
}

TEST_F(MimiDec, TakesTheFirstCodebooksOfMore) {
  Rig rig("mimidec", code_caps(32),
          [](GstElement* element) { g_object_set(element, "codebooks", 8, nullptr); });
  ASSERT_EQ(rig.push(codes(32, 0)), GST_FLOW_OK);
  EXPECT_EQ(fake::log().decoder_codes.at(0).size(), 8U);
}

TEST_F(MimiDec, DecodesAllCodebooksOfTheStreamByDefault) {
  Rig rig("mimidec", code_caps(3));
  ASSERT_EQ(rig.push(codes(3, 0)), GST_FLOW_OK);
  EXPECT_EQ(fake::log().decoder_codes.at(0).size(), 3U);
}

TEST_F(MimiDec, HonoursClipping) {
  Rig rig("mimidec", code_caps());
  BufferPtr buffer = codes(8, 0);
  gst_buffer_add_audio_clipping_meta(buffer.get(), GST_FORMAT_DEFAULT, 10, 1820);
  rig.push(std::move(buffer));
  const BufferPtr output = rig.pull();
  EXPECT_EQ(samples_of(output.get()).size(), 90U);
  EXPECT_EQ(gst_buffer_get_audio_clipping_meta(output.get()), nullptr) << "clipped twice downstream";
}

TEST_F(MimiDec, ClippingOfEverythingIsNoError) {
  Rig rig("mimidec", code_caps());
  BufferPtr buffer = codes(8, 0);
  gst_buffer_add_audio_clipping_meta(buffer.get(), GST_FORMAT_DEFAULT, 0, 5000);
  EXPECT_EQ(rig.push(std::move(buffer)), GST_FLOW_OK);
  EXPECT_EQ(rig.outputs(), 0U);
}

TEST_F(MimiDec, ConcealsThenFades) {
  Rig rig("mimidec", code_caps());
  rig.push(codes(8, 0, 2000));
  ASSERT_TRUE(rig.push_event(gst_event_new_gap(frame_time, 4 * frame_time)));
  rig.push(codes(8, 5 * frame_time, 2000));
  rig.pull();
  const BufferPtr concealed = rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(concealed.get()), frame_time);
  EXPECT_EQ(GST_BUFFER_DURATION(concealed.get()), 4 * frame_time);
  const auto samples = samples_of(concealed.get());
  ASSERT_EQ(samples.size(), 4 * frame);
  EXPECT_EQ(samples[0], 1.0F);
  EXPECT_NEAR(samples[frame], 0.5F, 1e-6F);
  EXPECT_EQ(samples[2 * frame], 0.0F);
  EXPECT_EQ(samples.back(), 0.0F);
  const auto after = samples_of(rig.pull().get());
  EXPECT_EQ(after[0], 0.0F) << "a click";
  EXPECT_EQ(after[240], 1.0F);
  EXPECT_EQ(rig.stat("frames-concealed"), 4U);
  EXPECT_EQ(rig.stat("resyncs"), 0U);
  EXPECT_EQ(fake::log().decoder_codes.size(), 4U) << "two frames of the four are decoded";
}

/// The largest difference between samples that follow each other.
float largest_step(const std::vector<float>& samples) {
  float largest = 0;
  for (size_t i = 1; i < samples.size(); ++i)
    largest = std::max(largest, std::abs(samples[i] - samples[i - 1]));
  return largest;
}

/// Sound of one value around a gap announced in parts; the gap's length.
std::vector<float> sound_around_gap(GstClockTime part, guint64 parts) {
  Rig rig("mimidec", code_caps());
  rig.push(codes(8, 0, 2000));
  for (guint64 i = 0; i < parts; ++i) {
    EXPECT_TRUE(rig.push_event(gst_event_new_gap(frame_time + i * part, part)));
  }
  rig.push(codes(8, frame_time + parts * part, 2000));
  std::vector<float> samples;
  for (guint64 i = 0; i < parts + 2; ++i) {
    const auto more = samples_of(rig.pull().get());
    samples.insert(samples.end(), more.begin(), more.end());
  }
  return samples;
}

TEST_F(MimiDec, GapsDoNotClick) {
  for (const GstClockTime part : std::vector<GstClockTime>{20 * GST_MSECOND, 60 * GST_MSECOND, frame_time}) {
    for (guint64 parts = 1; parts < 10; ++parts) {
      const auto samples = sound_around_gap(part, parts);
      EXPECT_LE(largest_step(samples), 1.001F / 240) << parts << " gaps of " << part;
      EXPECT_EQ(samples.back(), 1.0F);
      EXPECT_EQ(samples.size(), 2 * frame + parts * part * 24 / GST_MSECOND);
    }
  }
}

TEST_F(MimiDec, LateFramesAreNotHeard) {
  Rig rig("mimidec", code_caps());
  rig.go_live(0);
  const GstClockTime latency = gst_harness_query_latency(rig.harness());
  GstClockTime now = 0;
  std::vector<float> samples;
  for (guint64 i = 0; i < 8; ++i) {
    const bool late = i == 3 || i == 4;
    now = std::max(now, i * frame_time + latency + (late ? frame_time + 1 : 0));
    rig.set_time(now);
    rig.push(codes(8, i * frame_time, 2000));
    const BufferPtr output = rig.pull();
    EXPECT_EQ(GST_BUFFER_PTS(output.get()), i * frame_time);
    const auto more = samples_of(output.get());
    if (late) {
      EXPECT_EQ(std::count(more.begin(), more.end(), 0.0F), i == 3 ? 1680 : 1920);
    }
    samples.insert(samples.end(), more.begin(), more.end());
  }
  EXPECT_EQ(samples.size(), 8 * frame);
  EXPECT_LE(largest_step(samples), 1.001F / 240);
  EXPECT_EQ(fake::log().decoder_codes.size(), 8U) << "the codec does not hear what is late";
  EXPECT_EQ(rig.stat("frames-too-late"), 2U);
  EXPECT_EQ(rig.stat("frames-dropped"), 2U);
  EXPECT_EQ(rig.stat("frames-concealed"), 2U);
  EXPECT_EQ(samples.back(), 1.0F);
}

TEST_F(MimiDec, WhatIsOnlyToBeDecodedIsNotHeardNorWarnedOf) {
  Rig rig("mimidec", code_caps());
  rig.go_live(0);
  rig.set_time(gst_harness_query_latency(rig.harness()) + GST_SECOND);
  BufferPtr buffer = codes(8, 0, 2000);
  GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DECODE_ONLY);
  rig.push(std::move(buffer));
  const BufferPtr output = rig.pull();
  EXPECT_EQ(samples_of(output.get()).back(), 0.0F);
  EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_DECODE_ONLY))
      << "sinks would leave it out";
  EXPECT_EQ(fake::log().decoder_codes.size(), 1U);
  EXPECT_EQ(rig.stat("frames-too-late"), 1U);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_WARNING));
}

TEST_F(MimiDec, LatenessWithinTheFrameIsHeard) {
  Rig rig("mimidec", code_caps());
  rig.go_live(0);
  rig.set_time(gst_harness_query_latency(rig.harness()) + frame_time);
  rig.push(codes(8, 0, 2000));
  EXPECT_EQ(samples_of(rig.pull().get()), std::vector<float>(frame, 1.0F));
  EXPECT_EQ(rig.stat("frames-late"), 1U);
  EXPECT_EQ(rig.stat("frames-too-late"), 0U);
}

TEST_F(MimiDec, DiscontKeepsTheCodecsState) {
  Rig rig("mimidec", code_caps());
  rig.push(codes(8, 0));
  BufferPtr buffer = codes(8, 2 * frame_time);
  GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
  rig.push(std::move(buffer));
  EXPECT_EQ(fake::log().resets, 0);
  EXPECT_EQ(rig.stat("resyncs"), 1U);
  rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), 2 * frame_time);
}

TEST_F(MimiDec, HardFlushStartsTheCodecAnew) {
  Rig rig("mimidec", code_caps());
  rig.push(codes(8, 0));
  rig.seek_flush();
  rig.push(codes(8, GST_SECOND));
  EXPECT_EQ(fake::log().resets, 1);
  rig.pull();
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), GST_SECOND);
}

TEST_F(MimiDec, GapBeforeAnythingElseIsSilence) {
  Rig rig("mimidec", code_caps());
  ASSERT_TRUE(rig.push_event(gst_event_new_gap(0, frame_time)));
  EXPECT_EQ(samples_of(rig.pull().get()), std::vector<float>(frame, 0.0F));
}

TEST_F(MimiDec, TenThousandGaps) {
  Rig rig("mimidec", code_caps());
  rig.push(codes(8, 0));
  rig.pull();
  for (guint64 i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(rig.push_event(gst_event_new_gap(frame_time + i * 20 * GST_MSECOND, 20 * GST_MSECOND)));
    ASSERT_EQ(samples_of(rig.pull().get()).size(), 480U);
  }
  EXPECT_LE(fake::log().decoder_codes.size(), 3U);
}

TEST_F(MimiDec, VeryLongGapIsPassedOn) {
  Rig rig("mimidec", code_caps());
  rig.push(codes(8, 0));
  ASSERT_TRUE(rig.push_event(gst_event_new_gap(frame_time, 3600 * GST_SECOND)));
  rig.pull();
  EXPECT_EQ(GST_BUFFER_DURATION(rig.pull().get()), 10 * GST_SECOND);
  const EventPtr event = rig.pull_event(GST_EVENT_GAP);
  GstClockTime start = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(event.get(), &start, &duration);
  EXPECT_EQ(start, frame_time + 10 * GST_SECOND);
  EXPECT_EQ(duration, 3590 * GST_SECOND);
}

TEST_F(MimiDec, TimeStampsStayExactOverHours) {
  fake::settings().codec.sample_rate = 22050;
  Rig rig("mimidec", code_caps(8, 22050));
  for (guint64 i = 0; i < 100'000; ++i) {
    const GstClockTime exact = gst_util_uint64_scale_round(i * frame, GST_SECOND, 22050);
    rig.push(codes(8, exact + (i % 3) * GST_MSECOND));
    ASSERT_EQ(GST_BUFFER_PTS(rig.pull().get()), exact);
  }
}

TEST_F(MimiDec, EmptyStreamEndsWithoutError) {
  Rig rig("mimidec", code_caps());
  rig.push_event(gst_event_new_eos());
  EXPECT_NE(rig.pull_event(GST_EVENT_EOS), nullptr);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR));
}

TEST_F(MimiDec, DeclaresItsBudgetAsLatency) {
  Rig rig("mimidec", code_caps());
  EXPECT_EQ(gst_harness_query_latency(rig.harness()), 20 * GST_MSECOND);
  while (rig.has_message(GST_MESSAGE_LATENCY)) {
  }
  g_object_set(rig.element(), "latency", 30, nullptr);
  EXPECT_TRUE(rig.has_message(GST_MESSAGE_LATENCY));
  EXPECT_EQ(gst_harness_query_latency(rig.harness()), 30 * GST_MSECOND);
}

TEST_F(MimiDec, AcceptsCodesWithoutAnIdAndWithItsOwn) {
  for (const char* id : {"", ", codec-id=mimi-0000fa4e"}) {
    Rig rig("mimidec", code_caps() + id);
    EXPECT_EQ(rig.push(codes(8, 0)), GST_FLOW_OK) << id;
  }
}

}  // namespace
