// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

#include "serve/observe/metrics.h"

namespace serve {

/// Times each frame of a conversation on its way through its moshilm. `metrics` outlives the element.
void time_steps(GstElement* model, Metrics& metrics);

}  // namespace serve
