// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One end of a WebRTC call: a pipeline around a webrtcbin, and its part in the exchange of descriptions.
#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

class Peer {
 public:
  /// What went wrong with the call, in one line; on the main thread.
  using OnFailure = std::function<void(const std::string& problem)>;

  /// `description` is a launch line: packets of Opus that arrive go to the rtpopusdepay `ear`, those of the
  /// rtpopuspay `mouth` are sent.
  Peer(const std::string& description, OnFailure on_failure);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// Begins a call: the description for the other side, with all candidates.
  std::string offer();
  /// The other side's answer to it.
  void accept(const std::string& answer);
  /// Takes a call: the answer to an offer, with all candidates.
  std::string answer(const std::string& offer);
  /// Ends the call; nothing runs in the pipeline any more then.
  void hang_up();

  /// An element of the pipeline, which lives as long as the peer.
  [[nodiscard]] GstElement* element(const char* name) const;
  [[nodiscard]] GstElement* pipeline() const { return pipeline_; }

 private:
  static gboolean handle(GstBus* bus, GstMessage* message, gpointer self);
  /// Sends the mouth's packets as `payload` and plays.
  void start(int payload);
  /// Makes a description ("create-offer", "create-answer"), takes it as this side's, and waits for the
  /// candidates.
  std::string describe(const char* action, const char* field);

  static void note_gathering(GstElement* webrtc, GParamSpec* property, gpointer self);
  /// Until all of this side's are in its description.
  void wait_for_candidates();

  OnFailure on_failure_;
  std::mutex mutex_;
  std::condition_variable gathering_changed_;
  GstElement* pipeline_;
  GstElement* webrtc_;
};
