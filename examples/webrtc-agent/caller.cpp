// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "caller.h"

#include <gst/webrtc/webrtc.h>

#include <utility>

namespace {

constexpr const char* kPipeline =
    "filesrc name=question ! wavparse ! audioconvert ! audioresample ! "
    "audiobuffersplit output-buffer-duration=1/50 ! clocksync name=pace sync-to-first=true ! "
    "opusenc ! rtpopuspay name=mouth "
    "rtpopusdepay name=ear ! opusdec plc=true ! audioconvert ! audioresample ! "
    "audio/x-raw,format=S16LE,rate=24000,channels=1 ! wavenc ! "
    "filesink name=heard async=false";

GstPadProbeReturn hold(GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }

/// The end of the question is not the end of the call: the answer comes yet.
GstPadProbeReturn keep_on(GstPad*, GstPadProbeInfo* info, gpointer on_end) {
  if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS) return GST_PAD_PROBE_OK;
  (*static_cast<std::function<void()>*>(on_end))();
  return GST_PAD_PROBE_DROP;
}

}  // namespace

Caller::Caller(const std::string& question, const std::string& heard, std::function<void()> on_end,
               Peer::OnFailure on_failure)
    : on_end_(std::move(on_end)), peer_(kPipeline, std::move(on_failure)) {
  g_object_set(peer_.element("question"), "location", question.c_str(), nullptr);
  g_object_set(peer_.element("heard"), "location", heard.c_str(), nullptr);
  pace_ = gst_element_get_static_pad(peer_.element("pace"), "sink");
  const auto buffers = static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER);
  held_ = gst_pad_add_probe(pace_, buffers, hold, nullptr, nullptr);
  g_signal_connect(peer_.element("webrtc"), "notify::connection-state", G_CALLBACK(ask_when_connected), this);
  GstPad* mouth = gst_element_get_static_pad(peer_.element("mouth"), "sink");
  gst_pad_add_probe(mouth, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, keep_on, &on_end_, nullptr);
  gst_object_unref(mouth);
}

Caller::~Caller() {
  peer_.hang_up();
  gst_object_unref(pace_);
}

void Caller::ask_when_connected(GstElement* webrtc, GParamSpec*, gpointer self) {
  GstWebRTCPeerConnectionState state = GST_WEBRTC_PEER_CONNECTION_STATE_NEW;
  g_object_get(webrtc, "connection-state", &state, nullptr);
  auto* caller = static_cast<Caller*>(self);
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED && caller->held_ != 0)
    gst_pad_remove_probe(caller->pace_, std::exchange(caller->held_, 0));
}

void Caller::hang_up() {
  GstPad* ear = gst_element_get_static_pad(peer_.element("ear"), "sink");
  const bool heard = gst_pad_has_current_caps(ear) != FALSE;
  if (heard) gst_pad_send_event(ear, gst_event_new_eos());
  gst_object_unref(ear);
  peer_.hang_up();
}
