// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/frame_times.h"

#include <gtest/gtest.h>

#include <memory>

namespace moshi::runtime {
namespace {

SessionStats after(uint64_t frames, double p50, double p99) { return {frames, p50, p99, p99, 1}; }

TEST(FrameTimes, EndWithManyFramesOrLate) {
  EXPECT_FALSE(timed_enough(after(9, 6, 7), 60, 80));
  EXPECT_TRUE(timed_enough(after(10, 6, 7), 60, 80));
  EXPECT_FALSE(timed_enough(after(3, 120, 130), 400, 80));
  EXPECT_TRUE(timed_enough(after(4, 120, 130), 500, 80));
}

TEST(FrameTimes, AreOfTwoFramesAtLeast) {
  EXPECT_FALSE(timed_enough(after(1, 3000, 3000), 3000, 80));
  EXPECT_TRUE(timed_enough(after(2, 3000, 3000), 6000, 80));
}

TEST(FrameTimes, GoOnWhereOneLongFrameWouldDecide) {
  EXPECT_FALSE(timed_enough(after(10, 6, 95), 150, 80));
  EXPECT_FALSE(timed_enough(after(50, 6, 95), 600, 80));
  EXPECT_TRUE(timed_enough(after(200, 6, 95), 2000, 80));
  EXPECT_TRUE(timed_enough(after(60, 6, 7), 600, 80)) << "forgotten meanwhile";
}

/// The embedded model, which a test may load with other options.
std::shared_ptr<ExecutionContext> embedded(int max_sessions = 0) {
  auto context = ExecutionContext::acquire({.device = "cpu"});
  context->load_codec();
  context->load_lm({.max_sessions = max_sessions});
  return context;
}

TEST(MeasureFrame, FiguresAreInTheStats) {
  const auto context = embedded();
  EXPECT_EQ(context->stats().frame_ms_p99, 0) << "before";
  EXPECT_EQ(context->stats().callers, 0);
  context->measure_frame();
  const ContextStats stats = context->stats();
  EXPECT_GT(stats.encode_ms_p99, 0);
  EXPECT_GT(stats.step_ms_p99, 0);
  EXPECT_GT(stats.decode_ms_p99, 0);
  EXPECT_GT(stats.frame_ms_p50, 0);
  EXPECT_GE(stats.frame_ms_p99, stats.frame_ms_p50);
  EXPECT_LE(stats.frame_ms_p50, stats.encode_ms_p99 + stats.step_ms_p99 + stats.decode_ms_p99 + 1);
  EXPECT_EQ(stats.callers, stats.frame_ms_p99 <= 80 ? 1 : 0);
  EXPECT_EQ(context->frame_figures().encode_ms_p99, stats.encode_ms_p99);
  EXPECT_EQ(context->measure_frame().frame_ms_p99, stats.frame_ms_p99) << "measured twice";
}

TEST(MeasureFrame, LeavesNoSlotTaken) {
  const auto context = embedded(1);
  context->measure_frame();
  EXPECT_NE(context->open_lm({}), nullptr);
}

TEST(MeasureFrame, NeedsBothParts) {
  const auto context = ExecutionContext::acquire({.device = "cpu"});
  EXPECT_THROW(context->measure_frame(), Error);
  context->load_codec();
  EXPECT_THROW(context->measure_frame(), Error);
  context->load_lm({});
  EXPECT_NO_THROW(context->measure_frame()) << "a failure is not for ever";
}

TEST(MeasureFrame, CanBeBrokenOffAndDoneLater) {
  const auto context = embedded();
  Cancellation cancel;
  cancel.cancel();
  EXPECT_THROW(context->measure_frame(&cancel), Error);
  EXPECT_EQ(context->stats().frame_ms_p99, 0);
  context->measure_frame();
  EXPECT_GT(context->stats().frame_ms_p99, 0);
}

}  // namespace
}  // namespace moshi::runtime
