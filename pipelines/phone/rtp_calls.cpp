// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rtp_calls.h"

#include <sys/socket.h>

#include <array>
#include <optional>

namespace {

/// Milliseconds that packets may come late or out of order.
constexpr int kJitterMs = 60;
/// And what a thread may take to wake.
constexpr int kWakeMs = 20;
constexpr int kRate = 8000;

struct Codec {
  int payload_type;
  const char* name;
  const char* decode;
  const char* encode;
};
constexpr Codec kCodecs[] = {{0, "PCMU", "rtppcmudepay ! mulawdec", "mulawenc ! rtppcmupay"},
                             {8, "PCMA", "rtppcmadepay ! alawdec", "alawenc ! rtppcmapay"}};
constexpr int kComfortNoise = 13;
constexpr int kFirstDynamic = 96;  // telephone-event, for one

/// The payload type of an RTP packet; nothing where it is none, or RTCP, which may share the port.
std::optional<int> payload_type_of(std::span<const uint8_t> packet) {
  constexpr size_t header = 12;
  if (packet.size() < header || packet[0] >> 6 != 2) return {};
  const int type = packet[1] & 0x7f;
  if (type >= 72 && type <= 76) return {};
  return type;
}

const Codec& codec_of(int payload_type) {
  for (const Codec& codec : kCodecs) {
    if (codec.payload_type == payload_type) return codec;
  }
  throw Failure(Status::Other, "expected RTP of payload type 0 (PCMU, u-law) or 8 (PCMA, A-law), found " +
                                   std::to_string(payload_type) +
                                   "; set the other side to one of these codecs");
}

/// Lets the speech in `codec` through: noise parameters and keys pressed are RTP packets, too.
GstPadProbeReturn drop_others(GstPad*, GstPadProbeInfo* info, gpointer codec) {
  std::array<uint8_t, 12> header{};
  const size_t size = gst_buffer_extract(GST_PAD_PROBE_INFO_BUFFER(info), 0, header.data(), header.size());
  const auto type = payload_type_of(std::span(header).first(size));
  return type == static_cast<const Codec*>(codec)->payload_type ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

GstElement* add_receiver(Pipeline& pipeline, GSocket* socket, const Codec& codec, int idle_seconds) {
  GstElement* packets = pipeline.add("udpsrc");
  g_object_set(packets, "socket", socket, "close-socket", FALSE, "timeout",
               static_cast<guint64>(idle_seconds) * GST_SECOND, nullptr);
  set_property(packets, "caps",
               std::string("application/x-rtp, media=audio, clock-rate=8000, encoding-name=") + codec.name);
  gst_pad_add_probe(static_pad(packets, "src").get(), GST_PAD_PROBE_TYPE_BUFFER, drop_others,
                    const_cast<Codec*>(&codec), nullptr);
  pipeline.other_side_may_leave(packets);
  GstElement* decode =
      pipeline.add_bin("rtpjitterbuffer latency=" + std::to_string(kJitterMs) + " ! " + codec.decode);
  pipeline.link({packets, decode});
  return decode;
}

GstElement* add_sender(Pipeline& pipeline, GSocket* socket, GSocketAddress* peer, const Codec& codec) {
  GstElement* sender =
      pipeline.add_bin(std::string(codec.encode) + " ! udpsink name=sender close-socket=false");
  auto* internet = G_INET_SOCKET_ADDRESS(peer);
  const GstHandle<gchar> host(g_inet_address_to_string(g_inet_socket_address_get_address(internet)));
  const bool v6 = g_socket_get_family(socket) == G_SOCKET_FAMILY_IPV6;
  const GstHandle<GstElement> sink(gst_bin_get_by_name(GST_BIN(sender), "sender"));
  g_object_set(sink.get(), v6 ? "socket-v6" : "socket", socket, "host", host.get(), "port",
               static_cast<gint>(g_inet_socket_address_get_port(internet)), nullptr);
  pipeline.other_side_may_leave(sink.get());
  return sender;
}

/// Cancelled along with another, or by itself.
class Cancellable {
 public:
  explicit Cancellable(GCancellable* along)
      : along_(along),
        own_(g_cancellable_new()),
        signal_(g_cancellable_connect(along, G_CALLBACK(cancel), own_.get(), nullptr)) {}
  ~Cancellable() { g_cancellable_disconnect(along_, signal_); }
  Cancellable(const Cancellable&) = delete;
  Cancellable& operator=(const Cancellable&) = delete;
  [[nodiscard]] GCancellable* get() const { return own_.get(); }

 private:
  static void cancel(GCancellable*, gpointer own) { g_cancellable_cancel(G_CANCELLABLE(own)); }

  GCancellable* along_;
  ObjectHandle<GCancellable> own_;
  gulong signal_;
};

/// Until the peer is silent: its packets would begin another call.
void discard(GSocket* socket, int idle_seconds, GCancellable* end) {
  g_socket_set_timeout(socket, static_cast<guint>(idle_seconds));
  g_socket_set_blocking(socket, TRUE);
  std::array<gchar, 2048> packet{};
  while (g_socket_receive(socket, packet.data(), packet.size(), end, nullptr) > 0) {
  }
}

ObjectHandle<GSocket> make_socket(GSocketAddress* address, bool shared, GError** error) {
  ObjectHandle<GSocket> socket(g_socket_new(g_socket_address_get_family(address), G_SOCKET_TYPE_DATAGRAM,
                                            G_SOCKET_PROTOCOL_UDP, error));
  if (!socket) return nullptr;
  if (g_socket_bind(socket.get(), address, shared ? TRUE : FALSE, error) == 0) return nullptr;
  return socket;
}

}  // namespace

RtpCalls::RtpCalls(const std::string& text) {
  const auto address = parse_address("--rtp", text);
  GError* error = nullptr;
  socket_ = make_socket(address.get(), false, &error);
  if (!socket_) throw cannot_listen("--rtp", text, error);
  // The sockets of calls may share it from now on. Who asks for it alone, as above, still does not get it.
  g_socket_set_option(socket_.get(), SOL_SOCKET, SO_REUSEADDR, 1, nullptr);
  g_socket_set_blocking(socket_.get(), FALSE);
}

RtpCalls::~RtpCalls() {
  if (source_ == nullptr) return;
  g_source_destroy(source_);
  g_source_unref(source_);
}

std::string RtpCalls::address() const {
  return to_text(ObjectHandle<GSocketAddress>(g_socket_get_local_address(socket_.get(), nullptr)).get());
}

void RtpCalls::start(Phone& phone) {
  phone_ = &phone;
  source_ = g_socket_create_source(socket_.get(), G_IO_IN, nullptr);
  const GSocketSourceFunc ready = [](GSocket*, GIOCondition, gpointer self) -> gboolean {
    auto* calls = static_cast<RtpCalls*>(self);
    try {
      calls->receive();
    } catch (const std::exception& error) {
      calls->phone_->log.failed(0, "--rtp", error.what());
    }
    return G_SOURCE_CONTINUE;
  };
  g_source_set_callback(source_, G_SOURCE_FUNC(ready), this, nullptr);
  g_source_attach(source_, nullptr);
}

void RtpCalls::receive() {
  std::array<gchar, 2048> packet{};
  GSocketAddress* raw_peer = nullptr;
  const gssize size =
      g_socket_receive_from(socket_.get(), &raw_peer, packet.data(), packet.size(), nullptr, nullptr);
  const ObjectHandle<GSocketAddress> peer(raw_peer);
  if (size <= 0) return;
  const auto* bytes = reinterpret_cast<const uint8_t*>(packet.data());
  const auto type = payload_type_of({bytes, static_cast<size_t>(size)});
  if (!type || *type == kComfortNoise || *type >= kFirstDynamic) return;
  take(peer.get(), *type);
}

void RtpCalls::take(GSocketAddress* address, int payload_type) {
  const std::string peer = to_text(address);
  const std::lock_guard lock(mutex_);
  // A call's first packets come here until its socket is there.
  if (peers_.contains(peer)) return;
  const std::shared_ptr<GSocket> socket = connect(address);
  if (!socket) return;
  const std::shared_ptr<GSocketAddress> to(G_SOCKET_ADDRESS(g_object_ref(address)), ObjectDeleter());
  const bool taken =
      phone_->switchboard.take(peer, [this, socket, to, peer, payload_type](int call, GCancellable* end) {
        hold(call, end, socket.get(), to.get(), payload_type);
        const std::lock_guard end_lock(mutex_);
        peers_.erase(peer);
      });
  if (taken) peers_.insert(peer);
  if (!taken && !full_) phone_->log.failed(0, peer, phone_->switchboard.all_taken());
  full_ = !taken;
}

ObjectHandle<GSocket> RtpCalls::connect(GSocketAddress* peer) const {
  const ObjectHandle<GSocketAddress> local(g_socket_get_local_address(socket_.get(), nullptr));
  auto socket = make_socket(local.get(), true, nullptr);
  if (!socket || g_socket_connect(socket.get(), peer, nullptr, nullptr) == 0) return nullptr;
  return socket;
}

void RtpCalls::hold(int number, GCancellable* end, GSocket* socket, GSocketAddress* peer, int payload_type) {
  const PhoneOptions& options = phone_->options;
  const std::string name = to_text(peer);
  // A call cancels its own, and one that failed is not over before its peer is silent.
  const Cancellable call_end(end);
  try {
    const Codec& codec = codec_of(payload_type);
    Call call(*phone_, {number, name, std::string("RTP, ") + codec.name, ""}, call_end.get());
    GstElement* source = add_receiver(call.pipeline(), socket, codec, options.idle_timeout);
    call.converse({source, kWakeMs, add_sender(call.pipeline(), socket, peer, codec), kRate});
  } catch (const std::exception& error) {
    phone_->log.failed(number, name, error.what());
    discard(socket, options.idle_timeout, end);
  }
}
