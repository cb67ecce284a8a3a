// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/limits.h"

#include <string>

#include "serve/http/answer.h"

namespace serve {
namespace {

constexpr guint kRequestSeconds = 10;
constexpr guint kSilenceSeconds = 30;
constexpr goffset kLargestBody = goffset{64} * 1024;
/// What keeps a request's deadline.
constexpr const char* kDeadline = "gst-moshi-deadline";

void answer_too_large(SoupServerMessage* message) {
  answer_problem(message, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE,
                 "expected a body of at most " + std::to_string(kLargestBody) + " bytes, found more");
  // What still comes is read, and kept no longer.
  soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
}

void got_headers(SoupServerMessage* message, gpointer) {
  SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
  if (soup_message_headers_get_content_length(headers) > kLargestBody) answer_too_large(message);
  // libsoup 3.2 would not notice that a client has closed its connection, and keep it.
  if (soup_message_headers_get_one(headers, "Upgrade") == nullptr) {
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Connection", "close");
  }
}

/// For bodies that do not say how long they are.
void got_chunk(SoupServerMessage* message, GBytes*, gpointer) {
  SoupMessageBody* body = soup_server_message_get_request_body(message);
  if (soup_message_body_get_accumulate(body) != FALSE && body->length > kLargestBody)
    answer_too_large(message);
}

/// The deadline lives as long as its request's reading; the request outlives it.
void set_deadline(SoupServerMessage* message) {
  const guint deadline = g_timeout_add_seconds(
      kRequestSeconds,
      [](gpointer request) -> gboolean {
        GSocket* socket = soup_server_message_get_socket(SOUP_SERVER_MESSAGE(request));
        if (socket != nullptr) g_socket_shutdown(socket, TRUE, TRUE, nullptr);
        return G_SOURCE_CONTINUE;  // It is removed with its request.
      },
      message);
  g_object_set_data_full(G_OBJECT(message), kDeadline, GUINT_TO_POINTER(deadline),
                         [](gpointer id) { g_source_remove(GPOINTER_TO_UINT(id)); });
}

void request_started(SoupServer*, SoupServerMessage* message, gpointer) {
  if (GSocket* socket = soup_server_message_get_socket(message))
    g_socket_set_timeout(socket, kSilenceSeconds);
  set_deadline(message);
  g_signal_connect(message, "got-headers", G_CALLBACK(got_headers), nullptr);
  g_signal_connect(message, "got-chunk", G_CALLBACK(got_chunk), nullptr);
}

void end_deadline(SoupServerMessage* message) { g_object_set_data(G_OBJECT(message), kDeadline, nullptr); }

void request_read(SoupServer*, SoupServerMessage* message, gpointer) { end_deadline(message); }

}  // namespace

void limit_requests(SoupServer* server) {
  g_signal_connect(server, "request-started", G_CALLBACK(request_started), nullptr);
  g_signal_connect(server, "request-read", G_CALLBACK(request_read), nullptr);
}

void allow_silence(SoupServerMessage* message) {
  end_deadline(message);
  if (GSocket* socket = soup_server_message_get_socket(message)) g_socket_set_timeout(socket, 0);
}

}  // namespace serve
