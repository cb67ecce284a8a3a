// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/answer.h"

#include <nlohmann/json.hpp>

namespace serve {

using nlohmann::ordered_json;

void answer(SoupServerMessage* message, guint status, const char* type, const std::string& body) {
  soup_server_message_set_status(message, status, nullptr);
  soup_server_message_set_response(message, type, SOUP_MEMORY_COPY, body.data(), body.size());
}

void answer_line(SoupServerMessage* message, guint status, const std::string& line) {
  answer(message, status, "text/plain; charset=utf-8", line + "\n");
}

void answer_problem(SoupServerMessage* message, guint status, const std::string& line) {
  const ordered_json problem = {
      {"title", soup_status_get_phrase(status)}, {"status", status}, {"detail", line}};
  // What a client sent, and is told of, may be no UTF-8.
  answer(message, status, "application/problem+json",
         problem.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace serve
