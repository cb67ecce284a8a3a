// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "moshi/moshi.h"

namespace moshi::runtime {

/// Times frames of one caller, then of 2, 4, ... at a time up to `most_callers`, until they no longer fit in
/// a frame's time or half a second is over.
FrameFigures time_frames(ExecutionContext& context, int most_callers, const Cancellation* cancel);

/// Whether `so_far` says enough after `spent` milliseconds, where a frame may take `limit`.
bool timed_enough(const SessionStats& so_far, double spent, double limit);

}  // namespace moshi::runtime
