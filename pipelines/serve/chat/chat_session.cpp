// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/chat_session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "conversation.h"
#include "serve/chat/metadata.h"
#include "serve/clock.h"
#include "serve/observe/step_clock.h"
#include "serve/sampling.h"

namespace serve {
namespace {

/// Frames that wait: about a second, as moshilm's max-backlog.
constexpr size_t kMostWaiting = 12;
/// A client that has not taken so many messages, 5 s of speech, does not read.
constexpr size_t kMostUnsent = 64;
/// Speech that may come faster than it is spoken, in seconds: what was held up on its way.
constexpr double kMostAtOnce = 60;
/// Seconds of speech a second, after that: clients' clocks differ from ours.
constexpr double kMostSpeech = 1.1;
/// Bytes without a single page of Ogg after which a stream is taken for something else.
constexpr size_t kMostPassedOver = size_t{128} * 1024;
constexpr gsize kLargestMessage = gsize{64} * 1024;
/// Clients give up after 10 s without a message.
constexpr guint kPingSeconds = 4;
/// A client that is there answers pings, which go out each so many seconds.
constexpr guint kKeepaliveSeconds = 10;
constexpr double kMostSilence = 2 * kKeepaliveSeconds;
/// Milliseconds between two tries to send what the network does not take.
constexpr guint kRetryMs = 20;

/// The code of RFC 6455, section 7.4. Clients come back at once after a normal end, later after others.
gushort close_code(Ending ending) {
  switch (ending) {
    case Ending::Client:
    case Ending::Steps:
      return SOUP_WEBSOCKET_CLOSE_NORMAL;
    case Ending::Stopping:
      return SOUP_WEBSOCKET_CLOSE_GOING_AWAY;
    case Ending::Failed:
      return SOUP_WEBSOCKET_CLOSE_SERVER_ERROR;
    default:
      return SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION;
  }
}

}  // namespace

ChatSession::ChatSession(Server& server, SoupWebsocketConnection* connection, GSocket* socket,
                         const Caller& caller, const ChatSettings& settings)
    : Session("websocket", caller),
      connection_(connection),
      most_frames_(settings.most_frames),
      sample_rate_(server.context().codec().sample_rate),
      traffic_(socket),
      speech_(kMostAtOnce, kMostSpeech),
      metrics_(server.metrics()),
      begun_(now()),
      heard_from_(begun_),
      writer_(static_cast<int>(g_random_int() & G_MAXINT)) {
  g_object_ref(connection_);
  GstElement* source = pipeline_.add("appsrc");
  const moshi::CodecInfo& codec = server.context().codec();
  source_ =
      std::make_unique<FrameSource>(GST_APP_SRC(source), codec.sample_rate, codec.frame_size, kMostWaiting);
  GstElement* lm = add_language_model(pipeline_, server.options(), {}, choose_seed(settings.seed),
                                      server.options().allow_slow);
  set_sampling(lm, settings);
  time_steps(lm, metrics_);
  GstElement* audio = add_sink(&ChatSession::pulled<&ChatSession::speak>);
  GstElement* text = add_sink(&ChatSession::pulled<&ChatSession::say>);
  GstElement* encoder = link_conversation(pipeline_, server.options(), source, lm, audio);
  gst_element_link_pads(lm, "text_src", text, "sink");
  recording_ = server.recordings().begin(*this, {encoder, audio, lm});
  connect_signals();
  if (settings.metadata) post(Kind::Metadata, metadata_of(settings, server.context()));
  post(Kind::Handshake, nullptr, 0);
  for (const std::string& line : settings.refused) post(Kind::Error, line);
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
}

ChatSession::~ChatSession() {
  for (const gulong signal : signals_) g_signal_handler_disconnect(connection_, signal);
  g_source_remove(bus_watch_);
  g_source_remove(ping_);
  g_source_remove(watch_);
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);  // No streaming thread is left now.
  if (delivery_ != 0) g_source_remove(delivery_);
  for (GBytes* message : outbox_) g_bytes_unref(message);
  g_object_unref(connection_);
}

template <void (ChatSession::*Use)(GstBuffer*)>
GstFlowReturn ChatSession::pulled(GstAppSink* sink, gpointer self) {
  GstSample* sample = gst_app_sink_pull_sample(sink);
  if (sample == nullptr) return GST_FLOW_EOS;
  (static_cast<ChatSession*>(self)->*Use)(gst_sample_get_buffer(sample));
  gst_sample_unref(sample);
  return GST_FLOW_OK;
}

GstElement* ChatSession::add_sink(GstFlowReturn (*handler)(GstAppSink*, gpointer)) {
  GstElement* sink = pipeline_.add("appsink");
  g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = handler;
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, this, nullptr);
  return sink;
}

void ChatSession::connect_signals() {
  soup_websocket_connection_set_max_incoming_payload_size(connection_, kLargestMessage);
  soup_websocket_connection_set_keepalive_interval(connection_, kKeepaliveSeconds);
  const auto connect = [this](const char* signal, GCallback handler) {
    signals_.push_back(g_signal_connect(connection_, signal, handler, this));
  };
  connect("message",
          G_CALLBACK(+[](SoupWebsocketConnection*, SoupWebsocketDataType type, GBytes* bytes, gpointer self) {
            auto* session = static_cast<ChatSession*>(self);
            session->heard_from_ = now();
            if (session->traffic_.too_much()) {
              session->cut_off(Ending::TooMuch);
            } else if (type == SOUP_WEBSOCKET_DATA_BINARY) {
              session->receive(bytes);
            }
          }));
  connect("pong", G_CALLBACK(+[](SoupWebsocketConnection*, GBytes*, gpointer self) {
            static_cast<ChatSession*>(self)->heard_from_ = now();
          }));
  connect("error", G_CALLBACK(+[](SoupWebsocketConnection*, GError* error, gpointer self) {
            const bool protocol = error->domain == SOUP_WEBSOCKET_ERROR;
            static_cast<ChatSession*>(self)->lost(protocol ? Ending::BadInput : Ending::Gone);
          }));
  connect("closed", G_CALLBACK(+[](SoupWebsocketConnection*, gpointer self) {
            auto* session = static_cast<ChatSession*>(self);
            session->lost(Ending::Client);
            session->end();
          }));
  const GstHandle<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  bus_watch_ = gst_bus_add_watch(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer self) -> gboolean {
        static_cast<ChatSession*>(self)->handle(message);
        return G_SOURCE_CONTINUE;
      },
      this);
  ping_ = g_timeout_add_seconds(
      kPingSeconds,
      [](gpointer self) -> gboolean {
        auto* session = static_cast<ChatSession*>(self);
        bool silent = false;
        {
          const std::lock_guard lock(session->mutex_);
          silent = !std::exchange(session->sent_, false);
        }
        if (silent) session->post(Kind::Ping, nullptr, 0);
        return G_SOURCE_CONTINUE;
      },
      this);
  watch_ = g_timeout_add_seconds(
      1,
      [](gpointer self) -> gboolean {
        static_cast<ChatSession*>(self)->watch();
        return G_SOURCE_CONTINUE;
      },
      this);
}

void ChatSession::watch() {
  if (now() - heard_from_ > kMostSilence) cut_off(Ending::Gone);
}

void ChatSession::lost(Ending ending) { ends_because(traffic_.too_much() ? Ending::TooMuch : ending); }

void ChatSession::cut_off(Ending ending) {
  ends_because(ending);
  g_io_stream_close(soup_websocket_connection_get_io_stream(connection_), nullptr, nullptr);
  end();
}

void ChatSession::close(Ending ending) {
  ends_because(ending);
  if (soup_websocket_connection_get_state(connection_) == SOUP_WEBSOCKET_STATE_OPEN) {
    soup_websocket_connection_close(connection_, close_code(ending), name_of(ending));
  }
}

Counts ChatSession::counts() const {
  const std::lock_guard lock(mutex_);
  return {source_->pushed(), frames_, source_->dropped()};
}

void ChatSession::receive(GBytes* message) {
  gsize size = 0;
  const auto* bytes = static_cast<const uint8_t*>(g_bytes_get_data(message, &size));
  // Other kinds mean nothing to a server.
  if (size == 0 || bytes[0] != static_cast<uint8_t>(Kind::Audio)) return;
  heard_.clear();
  reader_.read({bytes + 1, size - 1}, heard_);
  const double seconds = static_cast<double>(heard_.size()) / sample_rate_;
  if (!speech_.take(seconds, now())) {
    cut_off(Ending::TooMuch);
    return;
  }
  source_->add(heard_);
  if (reader_.passed_over() > kMostPassedOver)
    fail(Ending::BadInput, "expected Ogg Opus in messages of kind 1, found other bytes");
}

void ChatSession::fail(Ending ending, const std::string& line) {
  ends_because(ending, line);
  post(Kind::Error, line);
  deliver();
  close(ending);
}

// ---------------------------------------------------------------------------------- streaming threads

void ChatSession::speak(GstBuffer* audio) {
  GstMapInfo map;
  if (gst_buffer_map(audio, &map, GST_MAP_READ) == FALSE) return;
  const auto* samples = reinterpret_cast<const float*>(map.data);
  std::vector<uint8_t> pages;
  bool first = false;
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    writer_.write({samples, map.size / sizeof(float)}, pages);
    first = frames_ == 0;
    last = ++frames_ == most_frames_;
  }
  gst_buffer_unmap(audio, &map);
  post(Kind::Audio, pages.data(), pages.size());
  say_due(GST_BUFFER_PTS(audio));
  if (first) metrics_.first_audio(now() - begun_);
  if (last) gst_element_post_message(pipeline_.get(), gst_message_new_eos(GST_OBJECT(pipeline_.get())));
}

/// A frame's words follow its sound.
void ChatSession::say(GstBuffer* text) {
  GstMapInfo map;
  if (gst_buffer_map(text, &map, GST_MAP_READ) == FALSE) return;
  const std::string piece(reinterpret_cast<const char*>(map.data), map.size);
  gst_buffer_unmap(text, &map);
  GstClockTime spoken = GST_CLOCK_TIME_NONE;
  {
    const std::lock_guard lock(mutex_);
    texts_.push_back({GST_BUFFER_PTS(text), piece});
    spoken = spoken_;
  }
  if (GST_CLOCK_TIME_IS_VALID(spoken)) say_due(spoken);
}

void ChatSession::say_due(GstClockTime pts) {
  std::vector<Text> due;
  {
    const std::lock_guard lock(mutex_);
    spoken_ = pts;
    const auto later =
        std::find_if(texts_.begin(), texts_.end(), [=](const Text& text) { return text.pts > pts; });
    std::move(texts_.begin(), later, std::back_inserter(due));
    texts_.erase(texts_.begin(), later);
  }
  for (const Text& text : due) post(Kind::Text, text.piece);
}

void ChatSession::post(Kind kind, const void* payload, size_t size) {
  GByteArray* message = g_byte_array_sized_new(static_cast<guint>(size + 1));
  const auto byte = static_cast<guint8>(kind);
  g_byte_array_append(message, &byte, 1);
  g_byte_array_append(message, static_cast<const guint8*>(payload), static_cast<guint>(size));
  const std::lock_guard lock(mutex_);
  outbox_.push_back(g_byte_array_free_to_bytes(message));
  sent_ = true;
  if (delivery_ != 0) return;
  delivery_ = g_idle_add(try_delivery, this);
}

// ---------------------------------------------------------------------------------------- main thread

/// A source of the main context: until all is sent.
gboolean ChatSession::try_delivery(gpointer self) {
  auto* session = static_cast<ChatSession*>(self);
  session->deliver();
  const std::lock_guard lock(session->mutex_);
  session->delivery_ = session->outbox_.empty() ? 0 : g_timeout_add(kRetryMs, try_delivery, self);
  return G_SOURCE_REMOVE;
}

void ChatSession::deliver() {
  GIOStream* stream = soup_websocket_connection_get_io_stream(connection_);
  auto* output = G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream));
  std::unique_lock lock(mutex_);
  while (!outbox_.empty() && g_pollable_output_stream_is_writable(output) != FALSE) {
    GBytes* message = outbox_.front();
    outbox_.pop_front();
    lock.unlock();
    if (soup_websocket_connection_get_state(connection_) == SOUP_WEBSOCKET_STATE_OPEN) {
      soup_websocket_connection_send_message(connection_, SOUP_WEBSOCKET_DATA_BINARY, message);
    }
    g_bytes_unref(message);
    lock.lock();
  }
  if (outbox_.size() <= kMostUnsent) return;
  lock.unlock();
  cut_off(Ending::NotReading);
}

void ChatSession::handle(GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    deliver();
    close(Ending::Steps);
  }
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) return;
  GError* raw_error = nullptr;
  gst_message_parse_error(message, &raw_error, nullptr);
  const GstHandle<GError> error(raw_error);
  fail(Ending::Failed, error->message);
}

}  // namespace serve
