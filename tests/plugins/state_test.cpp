// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// State changes at the worst moments: while loading, while a step runs, while data flows.
#include <thread>

#include "rig.h"

namespace {

struct Element {
  const char* factory;
  std::string caps;
};

class States : public PluginTest, public ::testing::WithParamInterface<Element> {
 protected:
  static BufferPtr frame(guint64 index) {
    const GstClockTime pts = index * frame_time;
    return std::string(GetParam().factory) == "mimienc" ? pcm(1920, pts) : codes(8, pts);
  }
  static std::string progress_of(Rig& rig) {
    const MessagePtr message = rig.message(GST_MESSAGE_PROGRESS);
    if (!message) return "none";
    GstProgressType type = GST_PROGRESS_TYPE_START;
    gchar* code = nullptr;
    gchar* text = nullptr;
    gst_message_parse_progress(message.get(), &type, &code, &text);
    EXPECT_STREQ(code, "load");
    std::string result = text;
    g_free(code);
    g_free(text);
    switch (type) {
      case GST_PROGRESS_TYPE_START:
        return "start " + result;
      case GST_PROGRESS_TYPE_CONTINUE:
        return "continue " + result;
      case GST_PROGRESS_TYPE_COMPLETE:
        return "complete " + result;
      case GST_PROGRESS_TYPE_CANCELED:
        return "canceled " + result;
      case GST_PROGRESS_TYPE_ERROR:
        return "error " + result;
    }
    return "unknown";
  }
};

TEST_P(States, LoadingIsReported) {
  Rig rig(GetParam().factory, GetParam().caps,
          [](GstElement* element) { g_object_set(element, "model", "m", nullptr); });
  rig.push(frame(0));
  rig.pull();
  const std::string part = std::string(GetParam().factory) == "moshilm" ? "language model" : "codec";
  const std::string text = "Loading the " + part + " of /models/m";
  EXPECT_EQ(progress_of(rig), "start " + text);
  EXPECT_EQ(progress_of(rig), "continue " + text + ": 50 %");
  EXPECT_EQ(progress_of(rig), "complete " + text);
}

TEST_P(States, NullDuringLoading) {
  fake::block(true);
  Rig rig(GetParam().factory, GetParam().caps);
  fake::wait_until_blocked();
  std::thread pusher([&] { EXPECT_NE(rig.push(frame(0)), GST_FLOW_ERROR); });
  EXPECT_EQ(gst_element_set_state(rig.element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  pusher.join();
  progress_of(rig);
  progress_of(rig);
  EXPECT_EQ(progress_of(rig).rfind("canceled", 0), 0U);
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR));
}

TEST_P(States, EarlyDataWaitsForTheModel) {
  fake::block(true);
  Rig rig(GetParam().factory, GetParam().caps);
  fake::wait_until_blocked();
  std::thread pusher([&] { EXPECT_EQ(rig.push(frame(0)), GST_FLOW_OK); });
  EXPECT_EQ(rig.outputs(), 0U);
  fake::block(false);
  EXPECT_NE(rig.pull(), nullptr);
  pusher.join();
}

TEST_P(States, NullDuringAStep) {
  Rig rig(GetParam().factory, GetParam().caps);
  rig.push(frame(0));
  rig.pull();
  fake::block(true);
  std::thread pusher([&] { EXPECT_NE(rig.push(frame(1)), GST_FLOW_ERROR); });
  fake::wait_until_blocked();
  EXPECT_EQ(gst_element_set_state(rig.element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  pusher.join();
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR));
}

TEST_P(States, FlushWakesAStepAtOnce) {
  Rig rig(GetParam().factory, GetParam().caps);
  rig.push(frame(0));
  rig.pull();
  fake::block(true);
  std::thread pusher([&] { EXPECT_NE(rig.push(frame(1)), GST_FLOW_ERROR); });
  fake::wait_until_blocked();
  rig.push_event(gst_event_new_flush_start());
  pusher.join();
  fake::block(false);
  rig.push_event(gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  rig.push_event(gst_event_new_segment(&segment));
  const int resets = fake::log().resets;
  EXPECT_EQ(rig.push(frame(20)), GST_FLOW_OK);
  EXPECT_EQ(GST_BUFFER_PTS(rig.pull().get()), 20 * frame_time);
  EXPECT_EQ(fake::log().resets, resets + 1) << "state of a broken off frame";
}

TEST_P(States, ReadyKeepsTheModelNullLetsItGo) {
  Rig rig(GetParam().factory, GetParam().caps);
  for (int i = 0; i < 3; ++i) {
    gst_element_set_state(rig.element(), GST_STATE_READY);
    EXPECT_EQ(fake::log().sessions, 0) << "a slot is held in READY";
    gst_element_set_state(rig.element(), GST_STATE_PLAYING);
  }
  EXPECT_EQ(fake::log().contexts, 1);
  gst_element_set_state(rig.element(), GST_STATE_NULL);
  gst_element_set_state(rig.element(), GST_STATE_PLAYING);
  EXPECT_EQ(fake::log().contexts, 2);
}

TEST_P(States, FiguresOutliveTheStream) {
  Rig rig(GetParam().factory, GetParam().caps);
  rig.push(frame(0));
  rig.pull();
  gst_element_set_state(rig.element(), GST_STATE_NULL);
  EXPECT_EQ(rig.stat("frames-out"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Elements, States,
                         ::testing::Values(Element{"mimienc", raw_caps}, Element{"moshilm", code_caps()},
                                           Element{"mimidec", code_caps()}),
                         [](const auto& info) { return std::string(info.param.factory); });

class Pipelines : public PluginTest {
 protected:
  static ElementPtr launch(const std::string& description) {
    GError* error = nullptr;
    GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
    EXPECT_EQ(error, nullptr) << error->message;
    return ElementPtr(GST_ELEMENT(gst_object_ref_sink(pipeline)));
  }
  static std::string outcome(GstElement* pipeline) {
    const BusPtr bus(gst_element_get_bus(pipeline));
    const MessagePtr message(gst_bus_timed_pop_filtered(
        bus.get(), 60 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS)));
    if (message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return "end of stream";
    return error_text(message.get());
  }
};

constexpr const char* whole =
    " ! mimienc ! moshilm name=lm ! mimidec ! fakesink sync=false "
    "lm.text_src ! fakesink sync=false async=false";

TEST_F(Pipelines, UpAndDownWhileDataFlows) {
  const ElementPtr pipeline = launch(std::string("audiotestsrc") + whole);
  const GstState states[] = {GST_STATE_PLAYING, GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_READY,
                             GST_STATE_PAUSED,  GST_STATE_NULL,   GST_STATE_PLAYING, GST_STATE_NULL};
  for (int round = 0; round < 10; ++round) {
    for (const GstState state : states) {
      ASSERT_NE(gst_element_set_state(pipeline.get(), state), GST_STATE_CHANGE_FAILURE);
      if (round % 2 == 0) {
        ASSERT_NE(gst_element_get_state(pipeline.get(), nullptr, nullptr, 20 * GST_SECOND),
                  GST_STATE_CHANGE_FAILURE);
      }
    }
  }
  const BusPtr bus(gst_element_get_bus(pipeline.get()));
  const MessagePtr error(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  EXPECT_EQ(error, nullptr) << error_text(error.get());
}

TEST_F(Pipelines, SeeksWhileDataFlows) {
  const ElementPtr pipeline = launch(std::string("audiotestsrc") + whole);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  ASSERT_EQ(gst_element_get_state(pipeline.get(), nullptr, nullptr, 20 * GST_SECOND),
            GST_STATE_CHANGE_SUCCESS);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(
        gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, (20 - i) * GST_SECOND));
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  const BusPtr bus(gst_element_get_bus(pipeline.get()));
  EXPECT_EQ(MessagePtr(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR)), nullptr);
}

TEST_F(Pipelines, RoundTripIsSampleExact) {
  const ElementPtr pipeline = launch(
      "audiotestsrc num-buffers=1 samplesperbuffer=5000 ! audio/x-raw,rate=24000,channels=1 ! mimienc ! "
      "mimidec ! "
      "fakesink name=sink signal-handoffs=true");
  const ElementPtr sink(gst_bin_get_by_name(GST_BIN(pipeline.get()), "sink"));
  gsize bytes = 0;
  g_signal_connect(sink.get(), "handoff",
                   G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, gsize* sum) {
                     *sum += gst_buffer_get_size(buffer);
                   }),
                   &bytes);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  EXPECT_EQ(outcome(pipeline.get()), "end of stream");
  EXPECT_EQ(bytes, 5000 * sizeof(float));
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

TEST_F(Pipelines, CodesGoThroughAFile) {
  const std::string file = ::testing::TempDir() + "plugin_test.codes";
  const ElementPtr writer = launch(
      "audiotestsrc num-buffers=48 samplesperbuffer=240 ! audio/x-raw,rate=24000 ! mimienc ! "
      "filesink location=" +
      file);
  gst_element_set_state(writer.get(), GST_STATE_PLAYING);
  EXPECT_EQ(outcome(writer.get()), "end of stream");
  gst_element_set_state(writer.get(), GST_STATE_NULL);
  for (const char* middle : {"", "moshilm ! "}) {
    const ElementPtr reader = launch("filesrc blocksize=16 location=" + file +
                                     " ! audio/x-mimi,codebooks=8 ! " + middle + "mimidec ! fakesink");
    gst_element_set_state(reader.get(), GST_STATE_PLAYING);
    EXPECT_EQ(outcome(reader.get()), "end of stream");
    gst_element_set_state(reader.get(), GST_STATE_NULL);
  }
  EXPECT_EQ(fake::log().decoder_codes.size(), 12U);
  remove(file.c_str());
}

TEST_F(Pipelines, WrongRateHasAClearErrorBehindACapsFilter) {
  const ElementPtr pipeline = launch(
      "audiotestsrc num-buffers=10 ! audio/x-raw,format=F32LE,rate=16000,channels=1 ! mimienc ! fakesink");
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  EXPECT_NE(outcome(pipeline.get()).find("expected 24000 Hz mono, found 16000 Hz"), std::string::npos);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

TEST_F(Pipelines, WrongCodesHaveAClearErrorBehindACapsFilter) {
  for (const char* sink : {"moshilm", "mimidec"}) {
    for (const std::string& caps :
         {code_caps(8, 24000, 1024), std::string("audio/x-mimi, codebooks=8, cardinality=1024")}) {
      const ElementPtr pipeline =
          launch("filesrc location=/dev/zero blocksize=16 ! " + caps + " ! " + sink + " ! fakesink");
      gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
      EXPECT_NE(outcome(pipeline.get()).find("expected 2048, found 1024"), std::string::npos);
      gst_element_set_state(pipeline.get(), GST_STATE_NULL);
    }
  }
}

TEST_F(Pipelines, AResamplerFindsTheModelsRate) {
  fake::settings().codec.sample_rate = 12000;
  const ElementPtr pipeline = launch(
      "audiotestsrc num-buffers=10 ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! audioresample ! "
      "mimienc ! fakesink");
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  EXPECT_EQ(outcome(pipeline.get()), "end of stream");
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

}  // namespace
