// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "peer.h"

#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

namespace {

/// In our offers, as in those of browsers; in an answer it is the other side's.
constexpr int kPayload = 111;
constexpr auto kLongestGathering = std::chrono::seconds(5);

struct DescriptionDeleter {
  void operator()(GstWebRTCSessionDescription* description) const {
    gst_webrtc_session_description_free(description);
  }
};
using Description = std::unique_ptr<GstWebRTCSessionDescription, DescriptionDeleter>;

Description parse(GstWebRTCSDPType type, const std::string& text) {
  GstSDPMessage* message = nullptr;
  if (gst_sdp_message_new_from_text(text.c_str(), &message) != GST_SDP_OK)
    throw std::runtime_error("expected a session description (SDP), found something else");
  return Description(gst_webrtc_session_description_new(type, message));
}

std::string to_text(const GstWebRTCSessionDescription& description) {
  gchar* text = gst_sdp_message_as_text(description.sdp);
  std::string copy = text;
  g_free(text);
  return copy;
}

/// The number an offer has for Opus.
int opus_payload(const GstSDPMessage& offer) {
  for (guint i = 0; i < gst_sdp_message_medias_len(&offer); ++i) {
    const GstSDPMedia* media = gst_sdp_message_get_media(&offer, i);
    for (guint j = 0; j < gst_sdp_media_formats_len(media); ++j) {
      const int payload = std::atoi(gst_sdp_media_get_format(media, j));
      GstCaps* caps = gst_sdp_media_get_caps_from_media(media, payload);
      if (caps == nullptr) continue;
      const gchar* encoding = gst_structure_get_string(gst_caps_get_structure(caps, 0), "encoding-name");
      const bool opus = g_strcmp0(encoding, "OPUS") == 0;
      gst_caps_unref(caps);
      if (opus) return payload;
    }
  }
  throw std::runtime_error("expected an offer of Opus, found none");
}

void set_description(GstElement* webrtc, const char* action, const GstWebRTCSessionDescription& description) {
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtc, action, &description, promise);
  gst_promise_wait(promise);
  gst_promise_unref(promise);
}

/// Looking for a router that opens ports would take each call 0.2 s; TCP is for networks without UDP.
void use_udp_alone(GstElement* webrtc) {
  GObject* ice = nullptr;
  g_object_get(webrtc, "ice-agent", &ice, nullptr);
  GObject* agent = nullptr;
  g_object_get(ice, "agent", &agent, nullptr);
  g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, nullptr);
  g_object_unref(agent);
  g_object_unref(ice);
}

/// No way to the other side was found, or it has been lost.
void check_connection(GstElement* webrtc, GParamSpec*, gpointer) {
  GstWebRTCPeerConnectionState state = GST_WEBRTC_PEER_CONNECTION_STATE_NEW;
  g_object_get(webrtc, "connection-state", &state, nullptr);
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED)
    GST_ELEMENT_ERROR(webrtc, RESOURCE, OPEN_READ_WRITE,
                      ("expected a connection to the other side, found none"), (nullptr));
}

/// The other side's stream has come: it goes to the ear.
void link_ear(GstElement*, GstPad* pad, gpointer ear) {
  if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC) return;
  GstPad* sink = gst_element_get_static_pad(GST_ELEMENT(ear), "sink");
  gst_pad_link(pad, sink);
  gst_object_unref(sink);
}

}  // namespace

Peer::Peer(const std::string& description, OnFailure on_failure) : on_failure_(std::move(on_failure)) {
  GError* error = nullptr;
  const std::string line = "webrtcbin name=webrtc bundle-policy=max-bundle latency=40 " + description;
  pipeline_ = gst_parse_launch(line.c_str(), &error);
  if (error != nullptr) throw std::runtime_error(error->message);
  webrtc_ = element("webrtc");
  use_udp_alone(webrtc_);
  g_signal_connect(webrtc_, "pad-added", G_CALLBACK(link_ear), element("ear"));
  g_signal_connect(webrtc_, "notify::ice-gathering-state", G_CALLBACK(note_gathering), this);
  g_signal_connect(webrtc_, "notify::connection-state", G_CALLBACK(check_connection), nullptr);
  GstBus* bus = gst_element_get_bus(pipeline_);
  gst_bus_add_watch(bus, handle, this);
  gst_object_unref(bus);
}

Peer::~Peer() {
  hang_up();
  GstBus* bus = gst_element_get_bus(pipeline_);
  gst_bus_remove_watch(bus);
  gst_object_unref(bus);
  gst_object_unref(pipeline_);
}

void Peer::hang_up() {
  // GStreamer stops sinks first, and knows no first one where what webrtcbin gets depends on what it gives.
  gst_element_unlink(webrtc_, element("ear"));
  gst_element_set_state(pipeline_, GST_STATE_NULL);
}

gboolean Peer::handle(GstBus*, GstMessage* message, gpointer self) {
  const auto* peer = static_cast<Peer*>(self);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_LATENCY) gst_bin_recalculate_latency(GST_BIN(peer->pipeline_));
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    peer->on_failure_(error->message);
    g_error_free(error);
  }
  return G_SOURCE_CONTINUE;
}

GstElement* Peer::element(const char* name) const {
  GstElement* found = gst_bin_get_by_name(GST_BIN(pipeline_), name);
  if (found == nullptr) throw std::runtime_error(std::string("the pipeline has no element ") + name);
  gst_object_unref(found);  // The pipeline keeps it.
  return found;
}

std::string Peer::offer() {
  start(kPayload);
  return describe("create-offer", "offer");
}

void Peer::accept(const std::string& answer) {
  const Description description = parse(GST_WEBRTC_SDP_TYPE_ANSWER, answer);
  set_description(webrtc_, "set-remote-description", *description);
}

std::string Peer::answer(const std::string& offer) {
  const Description description = parse(GST_WEBRTC_SDP_TYPE_OFFER, offer);
  const int payload = opus_payload(*description->sdp);
  gst_element_set_state(pipeline_, GST_STATE_READY);
  set_description(webrtc_, "set-remote-description", *description);
  start(payload);  // Not earlier: only now webrtcbin knows where it belongs.
  return describe("create-answer", "answer");
}

void Peer::start(int payload) {
  GstElement* mouth = element("mouth");
  g_object_set(mouth, "pt", payload, nullptr);
  GstCaps* caps = gst_caps_new_simple("application/x-rtp", "media", G_TYPE_STRING, "audio", "encoding-name",
                                      G_TYPE_STRING, "OPUS", "payload", G_TYPE_INT, payload, nullptr);
  gst_element_link_pads_filtered(mouth, "src", webrtc_, "sink_0", caps);
  gst_caps_unref(caps);
  gst_element_set_state(pipeline_, GST_STATE_PLAYING);
}

std::string Peer::describe(const char* action, const char* field) {
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtc_, action, nullptr, promise);
  gst_promise_wait(promise);
  GstWebRTCSessionDescription* made = nullptr;
  const GstStructure* reply = gst_promise_get_reply(promise);
  if (reply != nullptr) gst_structure_get(reply, field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &made, nullptr);
  gst_promise_unref(promise);
  if (made == nullptr) throw std::runtime_error("the other side's description fits nothing of this one's");
  const Description description(made);
  set_description(webrtc_, "set-local-description", *description);
  wait_for_candidates();
  GstWebRTCSessionDescription* complete = nullptr;
  g_object_get(webrtc_, "local-description", &complete, nullptr);
  return to_text(*Description(complete));
}

void Peer::note_gathering(GstElement*, GParamSpec*, gpointer self) {
  auto* peer = static_cast<Peer*>(self);
  const std::lock_guard lock(peer->mutex_);
  peer->gathering_changed_.notify_all();
}

void Peer::wait_for_candidates() {
  std::unique_lock lock(mutex_);
  const auto complete = [this] {
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    g_object_get(webrtc_, "ice-gathering-state", &state, nullptr);
    return state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE;
  };
  if (!gathering_changed_.wait_for(lock, kLongestGathering, complete))
    throw std::runtime_error(
        "expected addresses to be reached at within 5 s, found none: is there a network interface besides "
        "loopback?");
}
