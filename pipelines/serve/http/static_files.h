// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <libsoup/soup.h>

#include <string>

namespace serve {

/// Answers GET and HEAD with a file below `directory` (index.html for a directory), 404 where there is none
/// or where `directory` is empty. Nothing outside of it is read.
void answer_static(SoupServerMessage* message, const std::string& directory, const std::string& path);

}  // namespace serve
