// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <libsoup/soup.h>

#include <string>

namespace serve {

/// Answers a request with `body`, of a media type.
inline void answer(SoupServerMessage* message, guint status, const char* type, const std::string& body) {
  soup_server_message_set_status(message, status, nullptr);
  soup_server_message_set_response(message, type, SOUP_MEMORY_COPY, body.data(), body.size());
}

/// Likewise with one line of text.
inline void answer_line(SoupServerMessage* message, guint status, const std::string& line) {
  answer(message, status, "text/plain; charset=utf-8", line + "\n");
}

}  // namespace serve
