// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The model at one end of a call.
#pragma once

#include <functional>
#include <string>

#include "peer.h"

class Agent {
 public:
  /// Called on a thread of the pipeline with each piece of a word when it is spoken: a leading space begins a
  /// word.
  using OnText = std::function<void(const std::string& piece)>;

  /// `model` names what its elements work in.
  Agent(GstContext* model, OnText on_text, Peer::OnFailure on_failure);

  /// Takes a call: the answer for the caller, who may be a browser as well.
  std::string answer(const std::string& offer) { return peer_.answer(offer); }
  /// Ends the call: nothing is handed over any more.
  void hang_up() { peer_.hang_up(); }

 private:
  OnText on_text_;
  Peer peer_;  // Ends first: its threads call the handler.
};
