// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Stands for a browser or a telephone: asks what a file says, and writes what it hears to another.
#pragma once

#include <functional>
#include <string>

#include "peer.h"

class Caller {
 public:
  /// `on_end` is called on a thread of the pipeline when the question has been played to its end.
  Caller(const std::string& question, const std::string& heard, std::function<void()> on_end,
         Peer::OnFailure on_failure);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  std::string offer() { return peer_.offer(); }
  void accept(const std::string& answer) { peer_.accept(answer); }
  /// Ends the call, and completes the file.
  void hang_up();

 private:
  /// The question is held until then: in one heap, afterwards, nobody could tell its packets' times.
  static void ask_when_connected(GstElement* webrtc, GParamSpec* property, gpointer self);

  std::function<void()> on_end_;
  Peer peer_;
  GstPad* pace_;
  gulong held_;
};
