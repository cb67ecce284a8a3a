// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Measured time: who is refused a live conversation, and which latency is declared.
#include "rig.h"

namespace {

class RealTime : public PluginTest {
 protected:
  /// What the engine finds a frame to take.
  static void takes(double frame_ms) {
    moshi::ContextStats& context = fake::settings().context;
    context.frame_ms_p50 = frame_ms * 0.9;
    context.frame_ms_p99 = frame_ms;
    context.encode_ms_p99 = frame_ms / 4;
    context.step_ms_p99 = frame_ms / 2;
    context.decode_ms_p99 = frame_ms / 4;
    context.callers = frame_ms <= 80 ? 1 : 0;
  }
  /// The error of a live conversation's first frame; "" where there is none.
  static std::string refusal(const Rig::Configure& configure = {}, bool live = true) {
    Rig rig("moshilm", code_caps(), configure);
    if (live) rig.go_live(0);
    rig.push(codes(8, 0));
    rig.push_event(gst_event_new_eos());
    rig.pull_event(GST_EVENT_EOS);  // Comes after an error, too.
    const MessagePtr error = rig.message(GST_MESSAGE_ERROR, 0);
    return error ? error_text(error.get()) : "";
  }
};

constexpr const char* init_error = "gst-library-error-quark 3: ";

TEST_F(RealTime, ADeviceThatIsTooSlowIsRefusedWithTheFigureAndWhatHelps) {
  takes(213.4);
  EXPECT_EQ(refusal(),
            std::string(init_error) +
                "too slow for a live conversation: expected at most 80 ms a frame, found 213.4 ms "
                "(p99) on a fake (cpu) in f32: use precision=int8, a GPU, more threads or a smaller "
                "model, or set allow-slow=true to have a conversation with gaps");
  fake::settings().context.device = "cuda:0";
  fake::settings().context.precision = "int8";
  EXPECT_EQ(refusal(), std::string(init_error) +
                           "too slow for a live conversation: expected at most 80 ms a frame, found 213.4 ms "
                           "(p99) on a fake (cuda:0) in int8: use a faster device or a smaller model, or set "
                           "allow-slow=true to have a conversation with gaps");
}

TEST_F(RealTime, OneThatKeepsUpIsNot) {
  takes(80);
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(fake::log().measures, 1);
}

TEST_F(RealTime, FilesAreNeverRefusedNorMeasuredFor) {
  takes(213.4);
  EXPECT_EQ(refusal({}, false), "");
  EXPECT_EQ(refusal(
                [](GstElement* element) {
                  gst_util_set_object_arg(G_OBJECT(element), "context-policy", "restart-in-silence");
                },
                false),
            "");
  EXPECT_EQ(fake::log().measures, 0);
}

TEST_F(RealTime, AllowSlowHasItHeldWithAWarning) {
  takes(213.4);
  Rig rig("moshilm", code_caps(),
          [](GstElement* element) { g_object_set(element, "allow-slow", TRUE, "max-backlog", 5, nullptr); });
  rig.go_live(0);
  for (guint64 i = 0; i < 3; ++i) {
    rig.set_time(i * frame_time + 10 * GST_SECOND);
    rig.push(codes(8, i * frame_time));
    const BufferPtr output = rig.pull();
    EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_DECODE_ONLY))
        << "it is too late to be heard";
  }
  const MessagePtr warning = rig.message(GST_MESSAGE_WARNING);
  EXPECT_EQ(
      error_text(warning.get()),
      "gst-core-error-quark " + std::to_string(GST_CORE_ERROR_CLOCK) +
          ": too slow for a live conversation: expected at most 80 ms a frame, found 213.4 ms (p99) on a "
          "fake "
          "(cpu) in f32: it will have gaps; use precision=int8, a GPU, more threads or a smaller model");
  const GstStructure* details = nullptr;
  gst_message_parse_warning_details(warning.get(), &details);
  gdouble found = 0;
  EXPECT_TRUE(gst_structure_get_double(details, "frame-ms", &found));
  EXPECT_EQ(found, 213.4);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_WARNING)) << "once is enough";
  EXPECT_EQ(rig.stat("frames-late"), 3U);
  // A half of the 213.4 ms with the margin; the frames that may wait, and the one under way.
  EXPECT_EQ(rig.declared_ms(), 121U + 6 * 80);
}

TEST_F(RealTime, OneThatIsAllowedAndKeepsUpSaysNothing) {
  takes(60);
  Rig rig("moshilm", code_caps(),
          [](GstElement* element) { g_object_set(element, "allow-slow", TRUE, nullptr); });
  rig.go_live(0);
  rig.push(codes(8, 0));
  EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(rig.pull().get(), GST_BUFFER_FLAG_DECODE_ONLY));
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_WARNING));
  EXPECT_EQ(rig.declared_ms(), 36U);
}

TEST_F(RealTime, StepDelayCounts) {
  takes(50);
  EXPECT_NE(refusal([](GstElement* element) {
              g_object_set(element, "step-delay", 31, nullptr);
            }).find("found 81.0 ms"),
            std::string::npos);
  Rig rig("moshilm", code_caps(),
          [](GstElement* element) { g_object_set(element, "step-delay", 7, nullptr); });
  rig.go_live(0);
  const gint64 start = g_get_monotonic_time();
  rig.push(codes(8, 0));
  rig.pull();
  // The first frame is stepped twice.
  EXPECT_GE(g_get_monotonic_time() - start, 2 * 7000);
  EXPECT_EQ(rig.number("step-ms-p50"), 1.5 + 7);
  EXPECT_EQ(rig.number("step-ms-p99"), 2.5 + 7);
  EXPECT_EQ(rig.number("step-ms-max"), 3.5 + 7);
  EXPECT_EQ(rig.declared_ms(), 39U) << "of 25 ms measured, 7 ms delay and the margin";
}

TEST_F(RealTime, ALongStepDelayCanBeBrokenOff) {
  Rig rig("moshilm", code_caps(), [](GstElement* element) {
    g_object_set(element, "step-delay", 60000, "allow-slow", TRUE, nullptr);
  });
  rig.push(codes(8, 0));
  const gint64 start = g_get_monotonic_time();
  gst_element_set_state(rig.element(), GST_STATE_READY);
  EXPECT_LT(g_get_monotonic_time() - start, 30 * G_USEC_PER_SEC);
}

TEST_F(RealTime, StatsTellWhatWasMeasured) {
  takes(60);
  Rig rig("moshilm", code_caps());
  EXPECT_EQ(rig.number("frame-ms-p99"), 0) << "before";
  rig.go_live(0);
  rig.push(codes(8, 0));
  rig.pull();
  EXPECT_EQ(rig.number("frame-ms-p50"), 54);
  EXPECT_EQ(rig.number("frame-ms-p99"), 60);
}

struct LatencyCase {
  const char* factory;
  std::string caps;
  GstClockTime own;  ///< Beside the budget.
  guint assumed;     ///< Milliseconds.
};

class Latency : public PluginTest, public ::testing::WithParamInterface<LatencyCase> {
 protected:
  static GstClockTime declared(const Rig& rig) {
    return (gst_harness_query_latency(rig.harness()) - GetParam().own) / GST_MSECOND;
  }
  static bool posted(Rig& rig) {
    bool any = false;
    while (rig.has_message(GST_MESSAGE_LATENCY)) any = true;
    return any;
  }
  /// Some seconds of a live stream whose steps take this long.
  void play(Rig& rig, double p99, int frames = 100) {
    fake::settings().steps.step_ms_p99 = p99;
    for (int i = 0; i < frames; ++i, ++frame_) {
      const GstClockTime pts = frame_ * frame_time;
      rig.set_time(pts);
      rig.push(std::string(GetParam().factory) == "mimienc" ? pcm(1920, pts) : codes(8, pts));
      rig.pull();
    }
  }

 private:
  guint64 frame_ = 0;
};

TEST_P(Latency, FollowsWhatStepsTake) {
  Rig rig(GetParam().factory, GetParam().caps);
  rig.go_live(0);
  EXPECT_EQ(declared(rig), GetParam().assumed) << "before anything is measured";
  posted(rig);
  play(rig, 70, 90);
  EXPECT_FALSE(posted(rig)) << "of a few frames";
  play(rig, 10);
  EXPECT_TRUE(posted(rig));
  EXPECT_EQ(declared(rig), 14U);
  play(rig, 14);
  EXPECT_FALSE(posted(rig)) << "what was declared still holds";
  play(rig, 15);
  EXPECT_TRUE(posted(rig));
  EXPECT_EQ(declared(rig), 20U);
  play(rig, 11);
  EXPECT_FALSE(posted(rig)) << "a little less is not worth a change";
  play(rig, 2);
  EXPECT_TRUE(posted(rig));
  EXPECT_EQ(declared(rig), 6U);
  EXPECT_EQ(rig.declared_ms(), 6U);
  gint property = 0;
  g_object_get(rig.element(), "latency", &property, nullptr);
  EXPECT_EQ(property, -1);
}

TEST_P(Latency, StaysWhereItIsSet) {
  Rig rig(GetParam().factory, GetParam().caps,
          [](GstElement* element) { g_object_set(element, "latency", 33, nullptr); });
  rig.go_live(0);
  posted(rig);
  play(rig, 70);
  EXPECT_FALSE(posted(rig));
  EXPECT_EQ(declared(rig), 33U);
  g_object_set(rig.element(), "latency", -1, nullptr);
  EXPECT_TRUE(posted(rig));
  EXPECT_EQ(declared(rig), 80U);
}

TEST_P(Latency, IsKnownAtOnceWhereTheFrameHasBeenMeasured) {
  fake::settings().context.encode_ms_p99 = 5;
  fake::settings().context.step_ms_p99 = 5;
  fake::settings().context.decode_ms_p99 = 5;
  const auto context = moshi::ExecutionContext::acquire({.device = "auto"});
  context->measure_frame();
  Rig rig(GetParam().factory, GetParam().caps);
  rig.go_live(0);
  rig.push(std::string(GetParam().factory) == "mimienc" ? pcm(1920, 0) : codes(8, 0));
  rig.pull();
  EXPECT_EQ(declared(rig), 9U);
}

TEST_P(Latency, IsThatOfTheContextWhileFramesAreFew) {
  Rig rig(GetParam().factory, GetParam().caps);
  rig.go_live(0);
  play(rig, 70, 1);
  for (double moshi::FrameFigures::*part :
       {&moshi::FrameFigures::encode_ms_p99, &moshi::FrameFigures::step_ms_p99,
        &moshi::FrameFigures::decode_ms_p99}) {
    fake::settings().context.*part = 5;
  }
  moshi::ExecutionContext::acquire({.device = "auto"})->measure_frame();
  play(rig, 70, 50);
  EXPECT_EQ(declared(rig), 9U);
}

INSTANTIATE_TEST_SUITE_P(Elements, Latency,
                         ::testing::Values(LatencyCase{"mimienc", raw_caps, frame_time, 20},
                                           LatencyCase{"moshilm", code_caps(), 0, 40},
                                           LatencyCase{"mimidec", code_caps(), 0, 20}),
                         [](const auto& info) { return std::string(info.param.factory); });

}  // namespace
