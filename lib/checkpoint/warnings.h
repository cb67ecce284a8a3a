// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>

namespace moshi {

/// Gives one line, without a newline, to the process-wide warning handler (set_warning_handler).
void warn(const std::string& line);

}  // namespace moshi
