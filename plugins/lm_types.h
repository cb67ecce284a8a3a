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

GType precision_type();
GType kv_precision_type();
GType first_frame_type();
GType late_policy_type();

}  // namespace gstmoshi
