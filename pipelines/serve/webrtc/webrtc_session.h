// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One call over WebRTC: webrtcbin, the model, and back to webrtcbin in a pipeline of its own.
#pragma once

#include <gst/app/gstappsink.h>

#include <atomic>
#include <functional>
#include <string>

#include "options.h"
#include "pipeline.h"
#include "serve/chat/chat_settings.h"
#include "serve/observe/metrics.h"
#include "serve/recording/recordings.h"
#include "serve/session.h"
#include "serve/webrtc/events.h"
#include "serve/webrtc/main_thread.h"
#include "serve/webrtc/offer.h"
#include "serve/webrtc/peer.h"

namespace serve {

class WebrtcSession : public Session {
 public:
  struct Model {
    const CommonOptions& options;
    std::string name;
    const moshi::CodecInfo& codec;
    bool allow_slow;
  };

  /// The call begins at once; the model hears when the client's speech comes.
  WebrtcSession(Caller caller, const Model& model, const ChatSettings& settings, const WebrtcOptions& options,
                Offer offer, Metrics& metrics, Recordings& recordings);
  ~WebrtcSession() override;

  /// `on_answer` is called once: with 201 and the answer, or with an error's status and line.
  void call_when_answered(std::function<void(unsigned status, const std::string& text)> on_answer) {
    on_answer_ = std::move(on_answer);
  }
  void close(Ending ending) override;
  [[nodiscard]] Counts counts() const override;

  [[nodiscard]] const Offer& offer() const { return offer_; }
  /// A further address of the client, "candidate:...".
  void add_candidate(const std::string& candidate) { peer_->add_candidate(candidate); }

 private:
  /// Adds what takes the model's text.
  void add_text_sink();
  void watch();
  static GstFlowReturn say(GstAppSink* sink, gpointer self);
  void greet();
  void look_at_clock();
  void handle(GstMessage* message);
  /// Ends the call for a reason that is told: instead of the answer, where there is none yet.
  void fail(unsigned status, const std::string& line);

  const std::string model_;
  const ChatSettings settings_;
  const int rtp_idle_seconds_;
  const Offer offer_;
  std::function<void(unsigned status, const std::string& text)> on_answer_;
  Recordings::Handle recording_;
  Pipeline pipeline_;
  GstElement* lm_ = nullptr;
  std::unique_ptr<Peer> peer_;
  Events events_;
  guint bus_watch_ = 0;
  guint clock_ = 0;
  guint goodbye_ = 0;
  const double begun_;
  std::atomic<double> heard_ = 0;     ///< When RTP came last; 0: never.
  std::atomic<uint64_t> frames_ = 0;  ///< Spoken.
  MainThread main_;
};

}  // namespace serve
