// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "doctor/facts.h"

namespace doctor {

/// What the driver's management library says, which is loaded here: nothing needs it to be there.
Driver ask_nvml();

}  // namespace doctor
