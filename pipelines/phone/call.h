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
};

/// One call: the caller's speech ! mimienc ! moshilm ! mimidec ! speech to the caller.
class Call {
 public:
  Call(Phone& phone, int number, std::string peer);

  Pipeline& pipeline() { return pipeline_; }
  /// Talks until the input ends. `source` gives the caller's speech, live, in buffers that may come
  /// `jitter_ms` late; `sink` takes S16LE at `rate`, 20 ms every 20 ms from the first moment on.
  void converse(GstElement* source, int jitter_ms, GstElement* sink, int rate);

 private:
  GstElement* add_hearing(int jitter_ms);
  GstElement* add_speech(int rate);

  Phone& phone_;
  int number_;
  std::string peer_;
  Pipeline pipeline_;
};

/// Talks to nobody for a moment: the model is loaded and timed then, and refused where it cannot be used.
void rehearse(const PhoneOptions& options, const moshi::CodecInfo& codec, Progress& progress);
