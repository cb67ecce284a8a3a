// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

namespace gstmoshi {

/// Has the context time its frame, where that has not been done, for a conversation whose steps take
/// `step_delay` milliseconds longer. Where that is more than there is time for, throws NoDevice, or, if
/// `allowed`, has `element` post a warning and returns false.
bool check_real_time(GstElement* element, moshi::ExecutionContext& context, unsigned step_delay, bool allowed,
                     const moshi::Cancellation* cancel);

}  // namespace gstmoshi
