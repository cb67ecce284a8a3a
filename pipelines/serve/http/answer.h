// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <libsoup/soup.h>

#include <string>

namespace serve {

/// Answers a request with `body`, of a media type.
void answer(SoupServerMessage* message, guint status, const char* type, const std::string& body);

/// Likewise with one line of text.
void answer_line(SoupServerMessage* message, guint status, const std::string& line);

/// Says what was expected and found, as problem details (RFC 9457).
void answer_problem(SoupServerMessage* message, guint status, const std::string& line);

}  // namespace serve
