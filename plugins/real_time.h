// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

namespace gstmoshi {

/// Has the context time its frame, where that has not been done, for a conversation whose steps take
/// `step_delay` milliseconds longer. Throws NoDevice where that is more than there is time for, unless
/// `allowed`.
void check_real_time(moshi::ExecutionContext& context, unsigned step_delay, bool allowed,
                     const moshi::Cancellation* cancel);

}  // namespace gstmoshi
