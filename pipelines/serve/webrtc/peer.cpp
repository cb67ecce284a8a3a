// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/peer.h"

#include <gst/sdp/gstsdpmessage.h>

#include <memory>
#include <utility>

namespace serve {
namespace {

/// Milliseconds that packets may come late or out of order.
constexpr guint kJitterMs = 40;
/// Candidates of this machine are there at once; those of a STUN or TURN server that does not answer never
/// come.
constexpr guint kGatherMs = 2000;
/// Bytes of events that wait for a client; what comes on top is lost.
constexpr guint64 kMostUnsent = guint64{64} * 1024;

struct DescriptionDeleter {
  void operator()(GstWebRTCSessionDescription* description) const {
    gst_webrtc_session_description_free(description);
  }
};
using Description = std::unique_ptr<GstWebRTCSessionDescription, DescriptionDeleter>;

struct PromiseDeleter {
  void operator()(GstPromise* promise) const { gst_promise_unref(promise); }
};
using Promise = std::unique_ptr<GstPromise, PromiseDeleter>;

Description description_of(GstWebRTCSDPType type, const std::string& text) {
  GstSDPMessage* sdp = nullptr;
  gst_sdp_message_new_from_text(text.c_str(), &sdp);
  return Description(gst_webrtc_session_description_new(type, sdp));
}

std::string text_of(const GstWebRTCSessionDescription& description) {
  return GstHandle<gchar>(gst_sdp_message_as_text(description.sdp)).get();
}

/// What went wrong, empty where nothing did.
std::string error_of(GstPromise* promise) {
  if (gst_promise_wait(promise) != GST_PROMISE_RESULT_REPLIED) return "the call was given up";
  const GstStructure* reply = gst_promise_get_reply(promise);
  GError* raw_error = nullptr;
  if (reply == nullptr || gst_structure_get(reply, "error", G_TYPE_ERROR, &raw_error, nullptr) == FALSE)
    return "";
  return GstHandle<GError>(raw_error)->message;
}

template <typename State>
State state_of(GstElement* webrtc, const char* name) {
  State state{};
  g_object_get(webrtc, name, &state, nullptr);
  return state;
}

}  // namespace

Peer::Peer(Pipeline& pipeline, const WebrtcOptions& options, GstElement* hearing, GstElement* speech,
           Listener listener)
    : webrtc_(pipeline.add("webrtcbin")), hearing_(hearing), speech_(speech), listener_(std::move(listener)) {
  g_object_set(webrtc_, "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE, "latency", kJitterMs, nullptr);
  set_up_ice(options);
  connect_signals();
}

Peer::~Peer() {
  if (patience_ != 0) g_source_remove(patience_);
  if (channel_ == nullptr) return;
  g_signal_handlers_disconnect_by_data(channel_, this);
  g_object_unref(channel_);
}

void Peer::set_up_ice(const WebrtcOptions& options) {
  GObject* raw_ice = nullptr;
  g_object_get(webrtc_, "ice-agent", &raw_ice, nullptr);
  const ObjectHandle<GObject> ice(raw_ice);
  if (const auto [first, last] = port_range(options.ports); first > 0) {
    g_object_set(ice.get(), "min-rtp-port", first, "max-rtp-port", last, nullptr);
  }
  GObject* raw_agent = nullptr;
  g_object_get(ice.get(), "agent", &raw_agent, nullptr);
  const ObjectHandle<GObject> agent(raw_agent);
  // A router that does not answer would hold up each call for 200 ms.
  g_object_set(agent.get(), "upnp", FALSE, "ice-tcp", FALSE, nullptr);
  if (!options.stun.empty()) {
    g_object_set(webrtc_, "stun-server", options.stun.c_str(), nullptr);
  }
  for (const std::string& server : options.turn) {
    gboolean added = FALSE;
    g_signal_emit_by_name(webrtc_, "add-turn-server", server.c_str(), &added);
  }
}

void Peer::connect_signals() {
  const auto on = [this](const char* signal, GCallback handler) {
    g_signal_connect(webrtc_, signal, handler, this);
  };
  on("pad-added", G_CALLBACK(+[](GstElement* webrtc, GstPad* pad, gpointer self) {
       if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC) return;
       auto* peer = static_cast<Peer*>(self);
       peer->part();  // A client that begins anew sends from another source.
       gst_pad_link(pad, static_pad(peer->hearing_, "sink").get());
       gst_element_post_message(webrtc, gst_message_new_latency(GST_OBJECT(webrtc)));
     }));
  on("on-data-channel", G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, gpointer self) {
       const std::shared_ptr<GstWebRTCDataChannel> held(
           static_cast<GstWebRTCDataChannel*>(g_object_ref(channel)), g_object_unref);
       auto* peer = static_cast<Peer*>(self);
       peer->main_.post([peer, held] { peer->use(held.get()); });
     }));
  const auto changed = G_CALLBACK(+[](GObject*, GParamSpec*, gpointer self) {
    auto* peer = static_cast<Peer*>(self);
    peer->main_.post([peer] { peer->look_at_state(); });
  });
  on("notify::ice-gathering-state", changed);
  on("notify::connection-state", changed);
}

/// Linked both ways webrtcbin is a loop, of which GStreamer warns when it stops.
void Peer::part() {
  const auto hearing = static_pad(hearing_, "sink");
  const GstHandle<GstPad> source(gst_pad_get_peer(hearing.get()));
  if (source) gst_pad_unlink(source.get(), hearing.get());
}

// ---------------------------------------------------------------------------------------- the answer

/// Emits a signal whose promise is answered by `then`, in the main thread.
template <typename... Arguments>
void Peer::ask(const char* signal, std::function<void(GstPromise*)> then, Arguments... arguments) {
  struct Question {
    Peer* peer;
    std::function<void(GstPromise*)> then;
  };
  GstPromise* promise = gst_promise_new_with_change_func(
      [](GstPromise* replied, gpointer data) {
        const auto* question = static_cast<Question*>(data);
        const std::shared_ptr<GstPromise> held(gst_promise_ref(replied), gst_promise_unref);
        question->peer->main_.post([then = question->then, held] { then(held.get()); });
      },
      new Question{this, std::move(then)}, [](gpointer data) { delete static_cast<Question*>(data); });
  g_signal_emit_by_name(webrtc_, signal, arguments..., promise);
  gst_promise_unref(promise);
}

void Peer::answer(const Offer& offer) {
  const Description description = description_of(GST_WEBRTC_SDP_TYPE_OFFER, to_sdp(offer));
  ask(
      "set-remote-description", [this, offer](GstPromise* promise) { described(offer, promise); },
      description.get());
}

void Peer::described(const Offer& offer, GstPromise* promise) {
  if (const std::string error = error_of(promise); !error.empty()) return listener_.refused(error);
  for (const std::string& candidate : offer.candidates) add_candidate(candidate);
  if (speech_ != nullptr) send_speech(offer.audio.payload_type);
  ask(
      "create-answer", [this](GstPromise* created) { proposed(created); }, nullptr);
}

void Peer::send_speech(int payload_type) {
  // The pad becomes that of the m-line these caps fit.
  const GstHandle<GstCaps> caps(gst_caps_new_simple(
      "application/x-rtp", "media", G_TYPE_STRING, "audio", "encoding-name", G_TYPE_STRING, "OPUS",
      "clock-rate", G_TYPE_INT, 48000, "payload", G_TYPE_INT, payload_type, nullptr));
  GstPadTemplate* kind = gst_element_get_pad_template(webrtc_, "sink_%u");
  const GstHandle<GstPad> pad(gst_element_request_pad(webrtc_, kind, nullptr, caps.get()));
  gst_pad_link(static_pad(speech_, "src").get(), pad.get());
}

void Peer::proposed(GstPromise* promise) {
  if (const std::string error = error_of(promise); !error.empty()) return listener_.refused(error);
  GstWebRTCSessionDescription* raw_answer = nullptr;
  gst_structure_get(gst_promise_get_reply(promise), "answer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION,
                    &raw_answer, nullptr);
  const Description answer(raw_answer);
  patience_ = g_timeout_add(
      kGatherMs,
      [](gpointer self) -> gboolean {
        auto* peer = static_cast<Peer*>(self);
        peer->patience_ = 0;
        peer->finish_answer();
        return G_SOURCE_REMOVE;
      },
      this);
  ask(
      "set-local-description",
      [this](GstPromise* set) {
        if (const std::string error = error_of(set); !error.empty()) listener_.refused(error);
      },
      answer.get());
}

void Peer::finish_answer() {
  if (patience_ != 0) g_source_remove(std::exchange(patience_, 0));
  const auto answered = std::exchange(listener_.answered, nullptr);
  if (!answered) return;
  GstWebRTCSessionDescription* raw_answer = nullptr;
  g_object_get(webrtc_, "local-description", &raw_answer, nullptr);
  answered(text_of(*Description(raw_answer)));
}

void Peer::look_at_state() {
  const auto gathering = state_of<GstWebRTCICEGatheringState>(webrtc_, "ice-gathering-state");
  if (gathering == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE && patience_ != 0) finish_answer();
  const auto connection = state_of<GstWebRTCPeerConnectionState>(webrtc_, "connection-state");
  if (connection == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED ||
      connection == GST_WEBRTC_PEER_CONNECTION_STATE_CLOSED) {
    listener_.gone();
  }
}

void Peer::add_candidate(const std::string& candidate) {
  // All m-lines are bundled with the first.
  g_signal_emit_by_name(webrtc_, "add-ice-candidate", guint{0}, candidate.c_str());
}

// ---------------------------------------------------------------------------------- the data channel

/// The first one that the client opens.
void Peer::use(GstWebRTCDataChannel* channel) {
  if (channel_ != nullptr) return;
  channel_ = static_cast<GstWebRTCDataChannel*>(g_object_ref(channel));
  g_signal_connect(channel_, "on-message-string",
                   G_CALLBACK(+[](GstWebRTCDataChannel*, const gchar* text, gpointer self) {
                     auto* peer = static_cast<Peer*>(self);
                     if (text == nullptr) return;
                     peer->main_.post([peer, event = std::string(text)] { peer->listener_.event(event); });
                   }),
                   this);
  g_signal_connect(channel_, "on-open", G_CALLBACK(+[](GstWebRTCDataChannel*, gpointer self) {
                     auto* peer = static_cast<Peer*>(self);
                     peer->main_.post([peer] { peer->open(); });
                   }),
                   this);
  open();
}

bool Peer::is_open() const {
  if (channel_ == nullptr) return false;
  GstWebRTCDataChannelState state{};
  g_object_get(channel_, "ready-state", &state, nullptr);
  return state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
}

void Peer::open() {
  if (!is_open()) return;
  if (const auto on_open = std::exchange(listener_.channel_open, nullptr)) on_open();
}

void Peer::send(const std::string& event) {
  if (!is_open()) return;
  guint64 unsent = 0;
  g_object_get(channel_, "buffered-amount", &unsent, nullptr);
  if (unsent < kMostUnsent) gst_webrtc_data_channel_send_string(channel_, event.c_str());
}

}  // namespace serve
