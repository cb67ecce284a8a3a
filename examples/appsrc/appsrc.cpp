// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A conversation inside an application, without files or network: samples in, samples and text out.
//
//   appsrc < question.raw > reply.raw      f32 samples, mono, 24 kHz
#include <gst/app/app.h>
#include <gst/gst.h>

#include <cstdio>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kRate = 24000;

/// The elements between an appsrc and two appsinks, which hand over as soon as there is something.
constexpr const char* kPipeline =
    "appsrc name=ear format=time block=true "
    "caps=audio/x-raw,format=F32LE,layout=interleaved,channels=1,rate=24000 "
    "! mimienc ! moshilm name=lm greedy=true ! mimidec ! appsink name=mouth sync=false "
    "lm.text_src ! appsink name=words sync=false async=false";

class Conversation {
 public:
  /// Both are called on threads of the pipeline, in the order of time: with the model's speech, 80 ms at a
  /// time, and with pieces of its words (a leading space begins a word).
  using OnSpeech = std::function<void(std::span<const float>)>;
  using OnText = std::function<void(const std::string&)>;

  Conversation(OnSpeech on_speech, OnText on_text)
      : on_speech_(std::move(on_speech)), on_text_(std::move(on_text)) {
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(kPipeline, &error);
    if (error != nullptr) throw std::runtime_error(error->message);
    ear_ = gst_bin_get_by_name(GST_BIN(pipeline_), "ear");
    listen("mouth", [](GstAppSink* sink, gpointer self) {
      return pull(sink, [self](const GstMapInfo& map) {
        static_cast<Conversation*>(self)->on_speech_(
            {reinterpret_cast<const float*>(map.data), map.size / sizeof(float)});
      });
    });
    listen("words", [](GstAppSink* sink, gpointer self) {
      return pull(sink, [self](const GstMapInfo& map) {
        static_cast<Conversation*>(self)->on_text_({reinterpret_cast<const char*>(map.data), map.size});
      });
    });
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
  }

  ~Conversation() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(ear_);
    gst_object_unref(pipeline_);
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  /// The user's next samples, any number; waits while two seconds of them have not been heard yet.
  void hear(std::span<const float> samples) {
    GstBuffer* buffer = gst_buffer_new_memdup(samples.data(), samples.size_bytes());
    GST_BUFFER_PTS(buffer) = gst_util_uint64_scale(heard_, GST_SECOND, kRate);
    heard_ += samples.size();
    if (gst_app_src_push_buffer(GST_APP_SRC(ear_), buffer) != GST_FLOW_OK) wait();
  }

  /// No more samples come: returns when the model has answered all of them.
  void finish() {
    gst_app_src_end_of_stream(GST_APP_SRC(ear_));
    wait();
  }

 private:
  /// Waits for the end of the stream; throws what went wrong instead.
  void wait() {
    GstBus* bus = gst_element_get_bus(pipeline_);
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus, GST_CLOCK_TIME_NONE, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    gst_object_unref(bus);
    std::string failure;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      GError* error = nullptr;
      gst_message_parse_error(message, &error, nullptr);
      failure = error->message;
      g_error_free(error);
    }
    gst_message_unref(message);
    if (!failure.empty()) throw std::runtime_error(failure);
  }

  void listen(const char* name, GstFlowReturn (*handler)(GstAppSink*, gpointer)) {
    GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline_), name);
    GstAppSinkCallbacks callbacks{};
    callbacks.new_sample = handler;
    gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, this, nullptr);
    gst_object_unref(sink);
  }

  template <typename Use>
  static GstFlowReturn pull(GstAppSink* sink, Use use) {
    GstSample* sample = gst_app_sink_pull_sample(sink);
    if (sample == nullptr) return GST_FLOW_EOS;
    GstBuffer* buffer = gst_sample_get_buffer(sample);
    GstMapInfo map;
    if (gst_buffer_map(buffer, &map, GST_MAP_READ) != FALSE) {
      use(map);
      gst_buffer_unmap(buffer, &map);
    }
    gst_sample_unref(sample);
    return GST_FLOW_OK;
  }

  OnSpeech on_speech_;
  OnText on_text_;
  GstElement* pipeline_ = nullptr;
  GstElement* ear_ = nullptr;
  uint64_t heard_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  gst_init(&argc, &argv);
  Conversation conversation(
      [](std::span<const float> speech) { std::fwrite(speech.data(), sizeof(float), speech.size(), stdout); },
      [](const std::string& piece) { std::fputs(piece.c_str(), stderr); });
  std::vector<float> samples(kRate / 50);
  while (const size_t count = std::fread(samples.data(), sizeof(float), samples.size(), stdin)) {
    conversation.hear({samples.data(), count});
  }
  conversation.finish();
  std::fputs("\n", stderr);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
