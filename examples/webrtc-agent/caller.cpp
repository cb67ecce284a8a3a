// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "caller.h"

#include <utility>

namespace {

constexpr const char* kPipeline =
    "filesrc name=question ! wavparse ! audioconvert ! audioresample ! "
    "audiobuffersplit output-buffer-duration=1/50 ! clocksync ! opusenc ! rtpopuspay name=mouth "
    "rtpopusdepay name=ear ! opusdec plc=true ! audioconvert ! audioresample ! "
    "audio/x-raw,format=S16LE,rate=24000,channels=1 ! wavenc ! "
    "filesink name=heard async=false";

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
  GstPad* mouth = gst_element_get_static_pad(peer_.element("mouth"), "sink");
  gst_pad_add_probe(mouth, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, keep_on, &on_end_, nullptr);
  gst_object_unref(mouth);
}

void Caller::hang_up() {
  GstPad* ear = gst_element_get_static_pad(peer_.element("ear"), "sink");
  gst_pad_send_event(ear, gst_event_new_eos());
  gst_object_unref(ear);
  peer_.hang_up();
}
