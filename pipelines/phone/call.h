// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include "../conversation.h"
#include "switchboard.h"

/// What calls have in common.
struct Phone {
  const PhoneOptions& options;
  const moshi::ExecutionContext& context;
  CallLog& log;
  Switchboard& switchboard;
  std::function<void(GstElement* model)> listener;  ///< Told of each call's moshilm before it plays, if any.
};

/// What a call's speech comes and goes by, elements of its pipeline.
struct Line {
  GstElement* source;  ///< Gives the caller's speech, live.
  int jitter_ms;       ///< That much later than in time, at most.
  GstElement* sink;    ///< Takes S16LE at `rate`, 20 ms every 20 ms, from the first moment on.
  int rate;
};

/// One call: the caller's speech ! mimienc ! moshilm ! mimidec ! speech to the caller.
class Call {
 public:
  /// The call ends when `end` is cancelled, and cancels it: what its elements wait for elsewhere shall watch
  /// it.
  Call(Phone& phone, CallName name, GCancellable* end);

  Pipeline& pipeline() { return pipeline_; }
  /// Talks over `line` until its input ends. Nothing runs any more when it has returned or thrown.
  void converse(const Line& line);

 private:
  /// Adds what makes the caller's speech the codec's.
  GstElement* add_hearing(int jitter_ms);
  /// Adds what makes the model's speech packets.
  GstElement* add_speech(int rate);

  Phone& phone_;
  CallName name_;
  GCancellable* end_;
  Pipeline pipeline_;
};

/// Talks to nobody for a moment: the model is loaded and timed then, and refused where it cannot be used.
void rehearse(PhoneOptions options, const moshi::CodecInfo& codec, Progress& progress);
