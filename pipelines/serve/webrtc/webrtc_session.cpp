// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/webrtc_session.h"

#include <utility>

#include "conversation.h"
#include "rtp_audio.h"
#include "serve/clock.h"
#include "serve/observe/step_clock.h"
#include "serve/sampling.h"

namespace serve {
namespace {

constexpr unsigned kCreated = 201;
constexpr unsigned kUnprocessable = 422;
constexpr unsigned kInternalError = 500;
/// A call whose media has not come by then does not come about.
constexpr int kConnectSeconds = 10;
/// Milliseconds for the last event to reach the client.
constexpr guint kGoodbyeMs = 300;

}  // namespace

WebrtcSession::WebrtcSession(Caller caller, const Model& model, const ChatSettings& settings,
                             const WebrtcOptions& options, Offer offer, Metrics& metrics,
                             Recordings& recordings)
    : Session("webrtc", std::move(caller)),
      model_(model.name),
      settings_(settings),
      rtp_idle_seconds_(options.rtp_idle_seconds),
      offer_(std::move(offer)),
      begun_(now()) {
  GstElement* hearing = pipeline_.add_bin(opus_hearing(model.codec));
  pipeline_.on_buffer(hearing, [this](GstBuffer*) { heard_ = now(); });
  lm_ = add_language_model(pipeline_, model.options, {}, choose_seed(settings_.seed), model.allow_slow);
  set_sampling(lm_, settings_);
  time_steps(lm_, metrics);
  // webrtcbin sends what it gets when it gets it.
  GstElement* speech = offer_.audio.hears
                           ? pipeline_.add_bin(opus_speech(offer_.audio.payload_type) + " ! clocksync")
                           : pipeline_.add_bin("fakesink sync=true async=false");
  pipeline_.on_buffer(speech, [this, &metrics](GstBuffer*) {
    const uint64_t frames = ++frames_;
    if (frames == 1) metrics.first_audio(now() - begun_);
    if (frames == settings_.most_frames) main_.post([this] { close(Ending::Steps); });
  });
  GstElement* encoder = link_conversation(pipeline_, model.options, hearing, lm_, speech);
  add_text_sink();
  recording_ = recordings.begin(*this, {encoder, speech, lm_});
  Peer::Listener listener;
  listener.answered = [this](const std::string& answer) {
    if (const auto answered = std::exchange(on_answer_, nullptr)) answered(kCreated, answer);
  };
  listener.refused = [this](const std::string& line) { fail(kUnprocessable, line); };
  listener.gone = [this] { close(Ending::Gone); };
  listener.channel_open = [this] { greet(); };
  listener.event = [this](const std::string& event) { peer_->send(events_.reply_to(event)); };
  peer_ = std::make_unique<Peer>(pipeline_, options, hearing, offer_.audio.hears ? speech : nullptr,
                                 std::move(listener));
  watch();
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  peer_->answer(offer_);
}

WebrtcSession::~WebrtcSession() {
  g_source_remove(bus_watch_);
  g_source_remove(clock_);
  if (goodbye_ != 0) g_source_remove(goodbye_);
  peer_->part();
  pipeline_.stop();  // No other thread calls from now on.
}

void WebrtcSession::add_text_sink() {
  // Words are told of when they are spoken.
  GstElement* sink = pipeline_.add("appsink");
  g_object_set(sink, "sync", TRUE, "async", FALSE, nullptr);
  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = say;
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, this, nullptr);
  gst_element_link_pads(lm_, "text_src", sink, "sink");
}

void WebrtcSession::watch() {
  const GstHandle<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  bus_watch_ = gst_bus_add_watch(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer self) -> gboolean {
        static_cast<WebrtcSession*>(self)->handle(message);
        return G_SOURCE_CONTINUE;
      },
      this);
  clock_ = g_timeout_add_seconds(
      1,
      [](gpointer self) -> gboolean {
        static_cast<WebrtcSession*>(self)->look_at_clock();
        return G_SOURCE_CONTINUE;
      },
      this);
}

/// On a streaming thread.
GstFlowReturn WebrtcSession::say(GstAppSink* sink, gpointer data) {
  GstSample* sample = gst_app_sink_pull_sample(sink);
  if (sample == nullptr) return GST_FLOW_EOS;
  GstBuffer* text = gst_sample_get_buffer(sample);
  std::string piece(gst_buffer_get_size(text), '\0');
  gst_buffer_extract(text, 0, piece.data(), piece.size());
  const GstClockTime start =
      gst_segment_to_running_time(gst_sample_get_segment(sample), GST_FORMAT_TIME, GST_BUFFER_PTS(text));
  gst_sample_unref(sample);
  auto* self = static_cast<WebrtcSession*>(data);
  self->main_.post([self, piece, start] {
    self->peer_->send(self->events_.transcript_delta(piece, static_cast<int64_t>(start / GST_MSECOND)));
  });
  return GST_FLOW_OK;
}

// ---------------------------------------------------------------------------------------- main thread

void WebrtcSession::greet() {
  peer_->send(events_.session_created(id(), model_));
  for (const std::string& line : settings_.refused) peer_->send(events_.refused(line));
  peer_->send(events_.response_created());
}

void WebrtcSession::look_at_clock() {
  const double heard = heard_;
  const double silence = now() - (heard > 0 ? heard : begun_);
  const int patience = heard > 0 ? rtp_idle_seconds_ : kConnectSeconds;
  if (silence > patience) close(Ending::Gone);
}

void WebrtcSession::handle(GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_LATENCY) gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) return;
  GError* raw_error = nullptr;
  gst_message_parse_error(message, &raw_error, nullptr);
  const GstHandle<GError> error(raw_error);
  // DTLS that the client has closed takes no more speech.
  if (g_error_matches(error.get(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE))
    return close(Ending::Client);
  fail(kInternalError, error->message);
}

void WebrtcSession::fail(unsigned status, const std::string& line) {
  if (goodbye_ != 0) return;
  ends_because(Ending::Failed, line);
  if (const auto answered = std::exchange(on_answer_, nullptr)) answered(status, line);
  peer_->send(events_.ended(name_of(Ending::Failed), line));
  close(Ending::Failed);
}

void WebrtcSession::close(Ending ending) {
  ends_because(ending);
  if (ending == Ending::Client || ending == Ending::Gone) return end();
  if (goodbye_ != 0) return;
  if (ending != Ending::Failed)
    peer_->send(events_.ended(name_of(ending), "this call ends: " + std::string(name_of(ending))));
  goodbye_ = g_timeout_add(
      kGoodbyeMs,
      [](gpointer data) -> gboolean {
        auto* self = static_cast<WebrtcSession*>(data);
        self->goodbye_ = 0;
        self->end();
        return G_SOURCE_REMOVE;
      },
      this);
}

Counts WebrtcSession::counts() const {
  GstStructure* raw_stats = nullptr;
  g_object_get(lm_, "stats", &raw_stats, nullptr);
  const GstHandle<GstStructure> stats(raw_stats);
  const auto count = [&stats](const char* name) {
    guint64 value = 0;
    gst_structure_get_uint64(stats.get(), name, &value);
    return value;
  };
  return {count("frames-in"), frames_, count("frames-dropped")};
}

}  // namespace serve
