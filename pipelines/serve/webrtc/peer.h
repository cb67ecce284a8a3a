// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The other side of a call, as webrtcbin: answers an offer, carries speech and events.
#pragma once

#define GST_USE_UNSTABLE_API
#include <gst/webrtc/webrtc.h>

#include <functional>
#include <string>
#include <vector>

#include "pipeline.h"
#include "serve/webrtc/main_thread.h"
#include "serve/webrtc/offer.h"
#include "serve/webrtc/options.h"

namespace serve {

/// Lives in the thread of the default main context, and calls back there.
class Peer {
 public:
  struct Listener {
    std::function<void(const std::string& answer)> answered;  ///< SDP with all candidates.
    std::function<void(const std::string& line)> refused;     ///< There is no answer.
    std::function<void()> gone;                               ///< No connection is left, or came about.
    std::function<void()> channel_open;
    std::function<void(const std::string& event)> event;  ///< The client sent one.
  };

  /// Adds what receives speech and sends it: `hearing` and `speech` are elements of the pipeline with a free
  /// sink and a free source pad, for RTP; `speech` may be null. Both must outlive the pipeline's playing.
  Peer(Pipeline& pipeline, const WebrtcOptions& options, GstElement* hearing, GstElement* speech,
       Listener listener);
  /// The pipeline must have stopped.
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// Answers; the pipeline plays.
  void answer(const Offer& offer);
  /// An address at which the client may be reached, "candidate:...".
  void add_candidate(const std::string& candidate);
  /// Takes the client's speech away from the pipeline, which may stop then.
  void part();
  /// Sends an event over the data channel. It is lost where none is open, or nobody takes what is sent.
  void send(const std::string& event);

 private:
  void set_up_ice(const WebrtcOptions& options);
  void connect_signals();
  template <typename... Arguments>
  void ask(const char* signal, std::function<void(GstPromise*)> then, Arguments... arguments);
  /// The steps of an answer: the offer is known, the answer is there, all candidates are.
  void described(const Offer& offer, GstPromise* promise);
  void proposed(GstPromise* promise);
  void finish_answer();
  void send_speech(int payload_type);
  void look_at_state();
  void use(GstWebRTCDataChannel* channel);
  [[nodiscard]] bool is_open() const;
  void open();

  GstElement* webrtc_;
  GstElement* hearing_;
  GstElement* speech_;
  Listener listener_;
  GstWebRTCDataChannel* channel_ = nullptr;
  guint patience_ = 0;  ///< Source of the main context that ends the wait for candidates.
  MainThread main_;
};

}  // namespace serve
