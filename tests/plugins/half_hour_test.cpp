// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Half an hour of a bad call, as fast as it goes: the clock is the test's.
#include <gst/check/gsttestclock.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "rig.h"

namespace {

/// Memory this process holds, in KiB.
long resident_kib() {
  std::ifstream statm("/proc/self/statm");
  long pages = 0;
  statm >> pages >> pages;
  return pages * 4;
}

class Call {
 public:
  static constexpr GstClockTime source_latency = 100 * GST_MSECOND;  // A frame, and 20 ms of the network.
  static constexpr guint64 max_backlog = 12;

  Call() : harness_(gst_harness_new_parse("mimienc ! moshilm name=lm ! mimidec name=dec")) {
    lm_ = ElementPtr(gst_bin_get_by_name(GST_BIN(harness_->element), "lm"));
    dec_ = ElementPtr(gst_bin_get_by_name(GST_BIN(harness_->element), "dec"));
    gst_harness_set_live(harness_, TRUE);
    gst_harness_set_upstream_latency(harness_, source_latency);
    gst_harness_set_src_caps_str(harness_, raw_caps);
    gst_harness_use_testclock(harness_);
    gst_harness_query_latency(harness_);
    clock_ = gst_harness_get_testclock(harness_);
  }
  ~Call() {
    gst_object_unref(clock_);
    lm_.reset();
    dec_.reset();
    gst_harness_teardown(harness_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  static guint64 stat(const ElementPtr& element, const char* name) {
    GstStructure* raw = nullptr;
    g_object_get(element.get(), "stats", &raw, nullptr);
    const StructurePtr stats(raw);
    guint64 value = 0;
    EXPECT_TRUE(gst_structure_get_uint64(stats.get(), name, &value)) << name;
    return value;
  }
  [[nodiscard]] guint64 lm(const char* name) const { return stat(lm_, name); }
  [[nodiscard]] guint64 dec(const char* name) const { return stat(dec_, name); }
  [[nodiscard]] guint64 heard() const { return heard_; }

  void push(BufferPtr buffer) {
    ASSERT_EQ(gst_harness_push(harness_, buffer.release()), GST_FLOW_OK);
    ASSERT_LE(lm("backlog"), max_backlog);
    settle();
  }
  void push_gap(GstClockTime pts, GstClockTime duration) {
    gst_harness_push_event(harness_, gst_event_new_gap(pts, duration));
  }
  /// The engine stands still until `end`.
  void stall(GstClockTime end) {
    stall_end_ = std::max(stall_end_, end);
    fake::block_lm(true);
  }
  /// Time passes up to `time`.
  void advance(GstClockTime time) {
    if (stalled() && stall_end_ <= time) {
      tick(stall_end_);
      stall_end_ = 0;
      fake::block_lm(false);
      settle();
    }
    tick(time);
  }

 private:
  [[nodiscard]] bool stalled() const { return stall_end_ > 0; }

  // Every frame is through, and the conversation waits for the next one or for the clock.
  [[nodiscard]] bool idle() const {
    return lm("frames-in") + lm("frames-concealed") == lm("frames-out") + lm("frames-dropped") &&
           (heard_ == 0 || gst_test_clock_peek_id_count(clock_) == 1);
  }
  void settle() {
    if (lm("frames-in") == 0) return;
    while (!(stalled() && fake::is_blocked()) && !idle()) {
      g_usleep(10);
      listen();
    }
    listen();
  }
  void tick(GstClockTime time) {
    GstClockTime next = 0;
    while ((next = gst_test_clock_get_next_entry_time(clock_)) <= time) {
      set_time(next);
      gst_test_clock_crank(clock_);
      settle();
    }
    set_time(time);
  }
  void set_time(GstClockTime time) {
    if (time > gst_clock_get_time(GST_CLOCK(clock_))) gst_test_clock_set_time(clock_, time);
  }
  // Every sample of time is there, once.
  void listen() {
    while (const BufferPtr buffer{gst_harness_try_pull(harness_)}) {
      if (heard_ == 0) begin_ = GST_BUFFER_PTS(buffer.get());
      const GstClockTime due = begin_ + gst_util_uint64_scale(heard_, GST_SECOND, 24000);
      ASSERT_EQ(GST_BUFFER_PTS(buffer.get()), due);
      heard_ += gst_buffer_get_size(buffer.get()) / sizeof(float);
    }
  }

  GstHarness* harness_;
  ElementPtr lm_;
  ElementPtr dec_;
  GstTestClock* clock_ = nullptr;
  GstClockTime stall_end_ = 0;
  GstClockTime begin_ = 0;
  guint64 heard_ = 0;  // Samples.
};

class HalfHour : public PluginTest, public ::testing::WithParamInterface<double> {};

TEST_P(HalfHour, OfABadCall) {
  constexpr GstClockTime length = 1800 * GST_SECOND;
  fake::settings().keep_codes = false;
  std::mt19937 random(7);
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  const auto between = [&](GstClockTime low, GstClockTime high) { return low + random() % (high - low); };
  Call call;
  long memory = 0;
  GstClockTime arrival = 0;
  GstClockTime muted_until = 0;
  GstClockTime held_until = 0;  // By the network, which then delivers all at once.
  for (guint64 i = 0;; ++i) {
    const auto pts = static_cast<GstClockTime>(static_cast<double>(i * frame_time) * (1 + GetParam()));
    if (pts > length) break;
    arrival = std::max(arrival, pts + frame_time + between(0, 15 * GST_MSECOND));
    arrival = std::max(arrival, held_until);
    if (one_in(500)) held_until = arrival + between(50 * GST_MSECOND, 1500 * GST_MSECOND);
    call.advance(arrival);
    if (one_in(700)) call.stall(arrival + between(50 * GST_MSECOND, 2 * GST_SECOND));
    if (pts > muted_until && one_in(600)) {
      muted_until = pts + between(500 * GST_MSECOND, 20 * GST_SECOND);
      if (one_in(2)) call.push_gap(pts, muted_until - pts);
    }
    const bool lost = i > 0 && one_in(20);
    if (!lost && pts >= muted_until) call.push(pcm(1920, pts));
    if (HasFatalFailure()) return;
    if (memory == 0 && pts > length / 6) memory = resident_kib();
  }
  call.advance(arrival + 10 * GST_SECOND);

  const guint64 due = call.lm("frames-in") + call.lm("frames-concealed") - call.lm("frames-too-late");
  EXPECT_EQ(call.heard(), due * 1920) << "frames of time without sound, or with too much";
  const auto silent_end = static_cast<gint64>((arrival + 10 * GST_SECOND) / frame_time);
  EXPECT_NEAR(static_cast<double>(due), static_cast<double>(silent_end), 4) << "frames off the clock";
  EXPECT_EQ(call.dec("resyncs"), 0U);
  EXPECT_GT(call.lm("frames-dropped"), call.lm("frames-too-late")) << "no backlog was ever too long";
  EXPECT_GT(call.lm("frames-too-late"), 0U);
  EXPECT_GT(call.dec("frames-too-late"), 0U);
  EXPECT_LT(resident_kib() - memory, 2048) << "memory grows";
}

INSTANTIATE_TEST_SUITE_P(Skews, HalfHour, ::testing::Values(-200e-6, 200e-6),
                         [](const auto& info) { return info.param < 0 ? "SlowSource" : "FastSource"; });

}  // namespace
