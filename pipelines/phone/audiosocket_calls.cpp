// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "audiosocket_calls.h"

#include <gst/app/gstappsrc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>

#include "arrival_clock.h"
#include "audiosocket.h"

namespace {

/// Milliseconds that speech may come late.
constexpr int kJitterMs = 60;

/// Sends a message, whole. False where that cannot be.
bool send(GSocketConnection* connection, const std::vector<uint8_t>& message, GCancellable* cancel) {
  GOutputStream* stream = g_io_stream_get_output_stream(G_IO_STREAM(connection));
  return g_output_stream_write_all(stream, message.data(), message.size(), nullptr, cancel, nullptr) != 0;
}

/// Hangs up, and gives the other side a second to do so, too: bytes that nobody has read would break the
/// connection before it has heard.
void hang_up(GSocketConnection* connection) {
  send(connection, audiosocket::hang_up(), nullptr);
  GSocket* socket = g_socket_connection_get_socket(connection);
  g_socket_shutdown(socket, FALSE, TRUE, nullptr);
  g_socket_set_timeout(socket, 1);
  const gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC;
  std::array<gchar, 2048> rest{};
  while (g_get_monotonic_time() < end &&
         g_socket_receive(socket, rest.data(), rest.size(), nullptr, nullptr) > 0) {
  }
}

/// The caller's speech from the connection to an appsrc, which asks for it on its own thread.
class Hearing {
 public:
  Hearing(Pipeline& pipeline, audiosocket::Reader& reader, audiosocket::Speech first)
      : pipeline_(pipeline), reader_(reader), first_(std::move(first)), rate_(first_->rate) {
    source_ = pipeline.add("appsrc");
    queue_ = pipeline.add("queue");
    pipeline.link({source_, queue_});
    set_property(source_, "caps",
                 "audio/x-raw, format=S16LE, layout=interleaved, channels=1, rate=" + std::to_string(rate_));
    g_object_set(source_, "is-live", TRUE, "format", GST_FORMAT_TIME, nullptr);
    g_signal_connect(
        source_, "need-data",
        G_CALLBACK(+[](GstElement*, guint, gpointer self) { static_cast<Hearing*>(self)->give(); }), this);
  }
  /// Where its buffers come from.
  [[nodiscard]] GstElement* source() const { return queue_; }

 private:
  /// Gives the next buffer in time, or the end.
  void give() {
    try {
      while (const auto speech = next()) {
        if (push(speech->samples)) return;
      }
      gst_app_src_end_of_stream(GST_APP_SRC(source_));
    } catch (...) {
      pipeline_.abort_with_current_exception();
    }
  }

  std::optional<audiosocket::Speech> next() {
    if (first_) return std::exchange(first_, std::nullopt);
    return reader_.speech();
  }

  /// False where it comes at the wrong time.
  bool push(const std::vector<uint8_t>& samples) {
    const auto duration =
        static_cast<int64_t>(gst_util_uint64_scale_int(samples.size() / sizeof(int16_t), GST_SECOND, rate_));
    const auto now = static_cast<int64_t>(gst_element_get_current_running_time(source_));
    const auto place = clock_.place(now, duration);
    if (!place) return false;
    GstBuffer* buffer = gst_buffer_new_memdup(samples.data(), samples.size());
    GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(place->start_ns);
    GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(duration);
    if (place->jump) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    gst_app_src_push_buffer(GST_APP_SRC(source_), buffer);
    return true;
  }

  Pipeline& pipeline_;
  audiosocket::Reader& reader_;
  std::optional<audiosocket::Speech> first_;
  int rate_;
  ArrivalClock clock_{kJitterMs * GST_MSECOND};
  GstElement* source_ = nullptr;
  GstElement* queue_ = nullptr;  ///< Reads on while the rest of the pipeline waits.
};

/// The model's speech to the connection, in time.
class Speaking {
 public:
  Speaking(Pipeline& pipeline, GSocketConnection* connection, GCancellable* end, int rate)
      : pipeline_(pipeline), connection_(connection), end_(end), rate_(rate) {
    sink_ = pipeline.add("fakesink");
    g_object_set(sink_, "sync", TRUE, "signal-handoffs", TRUE, nullptr);
    const auto handoff = [](GstElement*, GstBuffer* buffer, GstPad*, gpointer self) {
      static_cast<Speaking*>(self)->take(buffer);
    };
    g_signal_connect(sink_, "handoff", G_CALLBACK(+handoff), this);
  }
  /// Where its buffers go.
  [[nodiscard]] GstElement* sink() const { return sink_; }

 private:
  void take(GstBuffer* buffer) {
    try {
      std::vector<uint8_t> samples(gst_buffer_get_size(buffer));
      gst_buffer_extract(buffer, 0, samples.data(), samples.size());
      if (!send(connection_, audiosocket::speech(rate_, samples), end_)) g_cancellable_cancel(end_);
    } catch (...) {
      pipeline_.abort_with_current_exception();
    }
  }

  Pipeline& pipeline_;
  GSocketConnection* connection_;
  GCancellable* end_;
  int rate_;
  GstElement* sink_ = nullptr;
};

}  // namespace

AudioSocketCalls::AudioSocketCalls(const std::string& text) : service_(g_socket_service_new()) {
  g_socket_service_stop(service_.get());  // until start()
  const auto address = parse_address("--audiosocket", text);
  GError* error = nullptr;
  GSocketAddress* listening = nullptr;
  if (g_socket_listener_add_address(G_SOCKET_LISTENER(service_.get()), address.get(), G_SOCKET_TYPE_STREAM,
                                    G_SOCKET_PROTOCOL_TCP, nullptr, &listening, &error) == 0) {
    throw cannot_listen("--audiosocket", text, error);
  }
  address_ = to_text(ObjectHandle<GSocketAddress>(listening).get());
}

AudioSocketCalls::~AudioSocketCalls() {
  g_socket_service_stop(service_.get());
  g_socket_listener_close(G_SOCKET_LISTENER(service_.get()));
}

void AudioSocketCalls::start(Phone& phone) {
  phone_ = &phone;
  const auto incoming = [](GSocketService*, GSocketConnection* connection, GObject*,
                           gpointer self) -> gboolean {
    auto* calls = static_cast<AudioSocketCalls*>(self);
    try {
      calls->take(connection);
    } catch (const std::exception& error) {
      calls->phone_->log.failed(0, "--audiosocket", error.what());
    }
    return TRUE;
  };
  g_signal_connect(service_.get(), "incoming", G_CALLBACK(+incoming), this);
  g_socket_service_start(service_.get());
}

void AudioSocketCalls::take(GSocketConnection* incoming) {
  const std::shared_ptr<GSocketConnection> connection(G_SOCKET_CONNECTION(g_object_ref(incoming)),
                                                      ObjectDeleter());
  const ObjectHandle<GSocketAddress> address(
      g_socket_connection_get_remote_address(connection.get(), nullptr));
  if (!address) return;  // It is gone already.
  const std::string peer = to_text(address.get());
  const bool taken = phone_->switchboard.take(peer, [this, connection, peer](int call, GCancellable* end) {
    try {
      hold(call, end, connection.get(), peer);
    } catch (const std::exception& error) {
      phone_->log.failed(call, peer, error.what());
    }
    hang_up(connection.get());
  });
  if (taken) return;
  phone_->log.failed(0, peer, phone_->switchboard.all_taken());
  send(connection.get(), audiosocket::hang_up(), nullptr);
}

void AudioSocketCalls::hold(int number, GCancellable* end, GSocketConnection* connection,
                            const std::string& peer) {
  GSocket* socket = g_socket_connection_get_socket(connection);
  g_socket_set_timeout(socket, static_cast<guint>(phone_->options.idle_timeout));
  g_socket_set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1, nullptr);

  audiosocket::Reader reader(g_io_stream_get_input_stream(G_IO_STREAM(connection)), end);
  const auto id = reader.id();
  if (!id) return;
  auto first = reader.speech();
  if (!first) return;

  const int rate = first->rate;
  Call call(*phone_, {number, peer, "AudioSocket, " + std::to_string(rate) + " Hz", *id}, end);
  const Hearing hearing(call.pipeline(), reader, std::move(*first));
  const Speaking speaking(call.pipeline(), connection, end, rate);
  call.converse({hearing.source(), kJitterMs, speaking.sink(), rate});
}
