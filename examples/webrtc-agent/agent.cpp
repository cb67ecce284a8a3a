// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "agent.h"

#include <utility>

namespace {

/// audiomixer keeps time where packets come early, late or not at all. What is said leaves in packets of 20
/// ms, each at its time.
constexpr const char* kPipeline =
    "rtpopusdepay name=ear ! opusdec plc=true ! audioconvert ! audiomixer start-time-selection=first "
    "discont-wait=0 output-buffer-duration=20000000 latency=40000000 ! audioresample ! "
    "mimienc ! moshilm name=lm greedy=true ! mimidec ! "
    "audioconvert ! audioresample ! audiobuffersplit output-buffer-duration=1/50 ! clocksync ! "
    "opusenc ! rtpopuspay name=mouth "
    "lm.text_src ! fakesink name=words sync=true async=false signal-handoffs=true";

void hand_over(GstElement*, GstBuffer* buffer, GstPad*, gpointer on_text) {
  std::string piece(gst_buffer_get_size(buffer), '\0');
  gst_buffer_extract(buffer, 0, piece.data(), piece.size());
  (*static_cast<Agent::OnText*>(on_text))(piece);
}

}  // namespace

Agent::Agent(GstContext* model, OnText on_text, Peer::OnFailure on_failure)
    : on_text_(std::move(on_text)), peer_(kPipeline, std::move(on_failure)) {
  gst_element_set_context(peer_.pipeline(), model);
  g_signal_connect(peer_.element("words"), "handoff", G_CALLBACK(hand_over), &on_text_);
}
