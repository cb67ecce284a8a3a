// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The elements on the real engine and a small random model (GST_MOSHI_MODEL_DIR).
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

struct Unref {
  void operator()(gpointer object) const { gst_object_unref(object); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
};
using ElementPtr = std::unique_ptr<GstElement, Unref>;
using BusPtr = std::unique_ptr<GstBus, Unref>;
using MessagePtr = std::unique_ptr<GstMessage, Unref>;

class Environment : public ::testing::Environment {
 public:
  void SetUp() override { gst_init(nullptr, nullptr); }
  void TearDown() override { gst_deinit(); }
};
const auto* const environment = ::testing::AddGlobalTestEnvironment(new Environment);

constexpr const char* whole =
    " ! mimienc ! moshilm name=lm greedy=true ! mimidec ! fakesink sync=false name=sink "
    "lm.text_src ! fakesink sync=false async=false";

ElementPtr launch(const std::string& description) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
  EXPECT_EQ(error, nullptr) << error->message;
  return ElementPtr(GST_ELEMENT(gst_object_ref_sink(pipeline)));
}

/// The first error or end of stream.
std::string outcome(GstElement* pipeline, GstClockTime timeout) {
  const BusPtr bus(gst_element_get_bus(pipeline));
  const MessagePtr message(gst_bus_timed_pop_filtered(
      bus.get(), timeout, static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS)));
  if (!message) return "nothing";
  if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return "end of stream";
  GError* error = nullptr;
  gst_message_parse_error(message.get(), &error, nullptr);
  std::string text = error->message;
  g_error_free(error);
  return text;
}

/// Checksums of the sink's buffers, the first `count`.
std::vector<std::string> sums(const std::string& description) {
  const ElementPtr pipeline = launch(description);
  const ElementPtr sink(gst_bin_get_by_name(GST_BIN(pipeline.get()), "sink"));
  g_object_set(sink.get(), "signal-handoffs", TRUE, nullptr);
  std::vector<std::string> result;
  g_signal_connect(sink.get(), "handoff",
                   G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, std::vector<std::string>* all) {
                     GstMapInfo map;
                     gst_buffer_map(buffer, &map, GST_MAP_READ);
                     gchar* sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, map.data, map.size);
                     gst_buffer_unmap(buffer, &map);
                     all->emplace_back(sum);
                     g_free(sum);
                   }),
                   &result);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  EXPECT_EQ(outcome(pipeline.get(), 120 * GST_SECOND), "end of stream");
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return result;
}

TEST(Real, SpeechComesOutOfSpeech) {
  const std::string source =
      "audiotestsrc wave=ticks num-buffers=40 samplesperbuffer=1000 ! audio/x-raw,rate=24000";
  const auto first = sums(source + whole);
  EXPECT_EQ(first.size(), 21U);
  EXPECT_EQ(first, sums(source + whole)) << "greedy answers differ";
}

TEST(Real, UpAndDownWhileDataFlows) {
  const ElementPtr pipeline = launch(std::string("audiotestsrc") + whole);
  const GstState states[] = {GST_STATE_PLAYING, GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_PLAYING,
                             GST_STATE_NULL};
  for (int round = 0; round < 6; ++round) {
    for (const GstState state : states) {
      ASSERT_NE(gst_element_set_state(pipeline.get(), state), GST_STATE_CHANGE_FAILURE);
      // Every other time in the middle of whatever goes on.
      if (round % 2 == 0) gst_element_get_state(pipeline.get(), nullptr, nullptr, 60 * GST_SECOND);
    }
  }
  EXPECT_EQ(outcome(pipeline.get(), 0), "nothing");
}

TEST(Real, SeeksWhileDataFlows) {
  const ElementPtr pipeline = launch(std::string("audiotestsrc") + whole);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  ASSERT_EQ(gst_element_get_state(pipeline.get(), nullptr, nullptr, 60 * GST_SECOND),
            GST_STATE_CHANGE_SUCCESS);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(
        gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, i * GST_SECOND));
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  EXPECT_EQ(outcome(pipeline.get(), 0), "nothing");
}

TEST(Real, MissingModelIsNamed) {
  const ElementPtr pipeline = launch("audiotestsrc ! mimienc model=/nowhere/at/all ! fakesink");
  EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  EXPECT_NE(outcome(pipeline.get(), 0).find("/nowhere/at/all"), std::string::npos);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

}  // namespace
