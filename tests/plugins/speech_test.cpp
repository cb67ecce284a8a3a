// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Real speech through the embedded model: lost frames, and, with GST_MOSHI_LIVE_SECONDS set, a live run of so
// long. usage: speech_test QUESTION.wav
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

std::string question;  // File.

struct Unref {
  void operator()(gpointer object) const { gst_object_unref(object); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
};
template <typename T>
using Ptr = std::unique_ptr<T, Unref>;

Ptr<GstElement> launch(const std::string& description) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
  EXPECT_EQ(error, nullptr) << error->message;
  return Ptr<GstElement>(GST_ELEMENT(gst_object_ref_sink(pipeline)));
}

Ptr<GstElement> find(const Ptr<GstElement>& pipeline, const char* name) {
  return Ptr<GstElement>(gst_bin_get_by_name(GST_BIN(pipeline.get()), name));
}

void run_to_end(const Ptr<GstElement>& pipeline, GstClockTime limit) {
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const Ptr<GstBus> bus(gst_element_get_bus(pipeline.get()));
  const Ptr<GstMessage> message(gst_bus_timed_pop_filtered(
      bus.get(), limit, static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS)));
  ASSERT_TRUE(message);
  EXPECT_EQ(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_EOS);
}

guint64 stat(const Ptr<GstElement>& element, const char* name) {
  GstStructure* stats = nullptr;
  g_object_get(element.get(), "stats", &stats, nullptr);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats, name, &value)) << name;
  gst_structure_free(stats);
  return value;
}

/// What arrives at a fakesink with signal-handoffs.
struct Heard {
  std::vector<float> samples;  ///< Of a file.
  guint64 count = 0;           ///< Samples.
  guint64 holes = 0;           ///< Buffers that do not follow the one before to the sample.
  GstClockTime begin = GST_CLOCK_TIME_NONE;
  bool keep = true;

  static void handoff(GstElement* /*sink*/, GstBuffer* buffer, GstPad* /*pad*/, Heard* heard) {
    if (!GST_CLOCK_TIME_IS_VALID(heard->begin)) heard->begin = GST_BUFFER_PTS(buffer);
    const GstClockTime due = heard->begin + gst_util_uint64_scale(heard->count, GST_SECOND, 24000);
    if (GST_BUFFER_PTS(buffer) != due) ++heard->holes;
    std::vector<float> more(gst_buffer_get_size(buffer) / sizeof(float));
    gst_buffer_extract(buffer, 0, more.data(), more.size() * sizeof(float));
    heard->count += more.size();
    if (heard->keep) heard->samples.insert(heard->samples.end(), more.begin(), more.end());
  }
  void listen(const Ptr<GstElement>& sink) {
    g_signal_connect(sink.get(), "handoff", G_CALLBACK(handoff), this);
  }
};

/// Loses the last `lost` frames of every `period`.
struct Loss {
  guint64 period;
  guint64 lost;
  guint64 frame = 0;

  static GstPadProbeReturn probe(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
    auto* loss = static_cast<Loss*>(data);
    if (loss->frame++ % loss->period < loss->period - loss->lost) return GST_PAD_PROBE_OK;
    GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    const Ptr<GstPad> peer(gst_pad_get_peer(pad));
    gst_pad_send_event(peer.get(), gst_event_new_gap(GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer)));
    return GST_PAD_PROBE_DROP;
  }
};

std::vector<float> round_trip(Loss loss) {
  const auto pipeline = launch("filesrc location=\"" + question +
                               "\" ! wavparse ! audioconvert ! audioresample ! mimienc name=enc ! mimidec ! "
                               "fakesink name=sink sync=false signal-handoffs=true");
  const auto encoder = find(pipeline, "enc");
  const Ptr<GstPad> pad(gst_element_get_static_pad(encoder.get(), "src"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, Loss::probe, &loss, nullptr);
  Heard heard;
  heard.listen(find(pipeline, "sink"));
  run_to_end(pipeline, 120 * GST_SECOND);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  EXPECT_EQ(heard.holes, 0U);
  return heard.samples;
}

float step(const std::vector<float>& samples, size_t at) { return std::abs(samples[at] - samples[at - 1]); }

/// How much larger than any other within 20 ms the step from frame to frame is, at most.
float largest_click(const std::vector<float>& samples) {
  float largest = 0;
  for (size_t joint = 1920; joint + 480 < samples.size(); joint += 1920) {
    float around = 0;
    for (size_t at = joint - 480; at < joint + 480; ++at) {
      if (at != joint) around = std::max(around, step(samples, at));
    }
    largest = std::max(largest, step(samples, joint) - around);
  }
  return largest;
}

TEST(Speech, LostFramesDoNotClick) {
  const float own = largest_click(round_trip({1000, 0}));
  for (const guint64 lost : {1, 2, 3}) {
    for (const guint64 between : {2, 5}) {
      EXPECT_LE(largest_click(round_trip({lost + between, lost})), own) << lost << " lost after " << between;
    }
  }
}

long resident_kib() {
  std::ifstream statm("/proc/self/statm");
  long pages = 0;
  statm >> pages >> pages;
  return pages * 4;
}

TEST(Speech, LiveRunKeepsTime) {
  const char* wanted = std::getenv("GST_MOSHI_LIVE_SECONDS");
  if (wanted == nullptr) GTEST_SKIP() << "GST_MOSHI_LIVE_SECONDS is not set";
  const int seconds = std::atoi(wanted);
  const auto pipeline =
      launch("audiotestsrc is-live=true wave=ticks samplesperbuffer=480 num-buffers=" +
             std::to_string(seconds * 50) +
             " ! audio/x-raw,rate=24000 ! queue ! mimienc ! moshilm name=lm ! mimidec name=dec ! "
             "fakesink name=sink sync=true signal-handoffs=true");
  const auto lm = find(pipeline, "lm");
  const auto dec = find(pipeline, "dec");
  Heard heard;
  heard.keep = false;
  heard.listen(find(pipeline, "sink"));
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  g_usleep(static_cast<gulong>(seconds) * G_USEC_PER_SEC / 4);
  const long memory = resident_kib();
  run_to_end(pipeline, static_cast<GstClockTime>(seconds + 30) * GST_SECOND);
  const auto frames = static_cast<guint64>(seconds) * 1000 / 80;
  const guint64 due = stat(lm, "frames-in") + stat(lm, "frames-concealed") - stat(lm, "frames-too-late");
  std::printf("%d s: %lu frames in, %lu concealed, %lu dropped, %lu late to the decoder, memory +%ld KiB\n",
              seconds, stat(lm, "frames-in"), stat(lm, "frames-concealed"), stat(lm, "frames-dropped"),
              stat(dec, "frames-too-late"), resident_kib() - memory);
  EXPECT_EQ(heard.holes, 0U) << "the time line is broken";
  EXPECT_EQ(heard.count, due * 1920);
  EXPECT_NEAR(static_cast<double>(due), static_cast<double>(frames), 2);
  EXPECT_LT(stat(lm, "frames-concealed"), frames / 20);
  EXPECT_LT(resident_kib() - memory, 8192) << "memory grows";
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  ::testing::InitGoogleTest(&argc, argv);
  if (argc != 2) return 2;
  question = argv[1];
  return RUN_ALL_TESTS();
}
