// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <libsoup/soup.h>

#include <string>

namespace serve {

/// In place of a directory: nothing is served.
inline constexpr const char* kNoFiles = "none";

/// Answers GET and HEAD with a file below `directory` (index.html for a directory), where that is empty with
/// one of the page that is built in; with 404 where there is none. Nothing outside of it is read.
void answer_static(SoupServerMessage* message, const std::string& directory, const std::string& path);

}  // namespace serve
