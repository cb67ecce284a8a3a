// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Values of moshilm's enumerated properties.
#pragma once

#include <gst/gst.h>

namespace gstmoshi {

enum class FirstFrame {
  Repeat,  ///< The first frame is stepped twice, so that none of the input is lost.
  Skip,    ///< The model does not hear the first frame.
};

enum class LatePolicy {
  CatchUp,   ///< Waiting frames are stepped as fast as possible; beyond max-backlog some are dropped.
  DropUser,  ///< Frames are dropped as soon as more than one waits.
  Block,     ///< Upstream waits.
};

enum class ContextPolicy {
  Ring,              ///< A conversation goes on with the newest part of itself.
  RestartInSilence,  ///< Once its context is full, it starts anew in a pause.
};

/// What keeps a conversation going; may change at any time.
struct LivePolicy {
  GstClockTime starvation_timeout = GST_CLOCK_TIME_NONE;  ///< None: as long as the answer is in time.
  ContextPolicy context = ContextPolicy::Ring;
  size_t may_wait = 0;  ///< Frames, by the late policy.
};

GType precision_type();
GType kv_precision_type();
GType first_frame_type();
GType late_policy_type();
GType context_policy_type();

}  // namespace gstmoshi
