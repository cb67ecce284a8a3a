// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/routes.h"

#include <stdexcept>

#include "serve/chat/chat_session.h"
#include "serve/http/limits.h"
#include "serve/http/request.h"

namespace serve {
namespace {

constexpr const char* kChatPath = "/api/chat";
constexpr guint kUpgradeRequired = 426;
/// What a request is known by to keep, until its conversation begins.
constexpr const char* kPlace = "gst-moshi-place";

/// A request that goes before its upgrade gives the place back.
void attach(SoupServerMessage* message, Admission::Place place) {
  g_object_set_data_full(G_OBJECT(message), kPlace, place.release(),
                         [](gpointer taken) { Admission::Place(static_cast<Admission*>(taken)); });
}

Admission::Place detach(SoupServerMessage* message) {
  return Admission::Place(static_cast<Admission*>(g_object_steal_data(G_OBJECT(message), kPlace)));
}

/// Before a connection is upgraded: refuses what must be.
void admit(Server& server, SoupServerMessage* message) {
  SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
  if (soup_message_headers_get_encoding(headers) != SOUP_ENCODING_NONE) {
    server.refuse(message, {Reason::BadRequest, SOUP_STATUS_BAD_REQUEST, "expected no body, found one"});
    return;
  }
  try {
    parse_chat_settings(query_of(message));
  } catch (const std::invalid_argument& error) {
    server.refuse(message, {Reason::BadRequest, SOUP_STATUS_BAD_REQUEST, error.what()});
    return;
  }
  // Browsers do not tell a page why its WebSocket was refused: a plain request finds it out.
  if (!soup_message_headers_header_contains(headers, "Upgrade", "websocket")) {
    if (server.permit(message))
      server.refuse(message,
                    {Reason::BadRequest, kUpgradeRequired, "expected a WebSocket, found a plain request"});
    return;
  }
  server.admit_in_turn(message, [message](Admission::Place place) { attach(message, std::move(place)); });
}

void begin(Server& server, SoupServerMessage* message, SoupWebsocketConnection* connection) {
  Admission::Place place = detach(message);
  allow_silence(message);
  const ChatSettings settings = parse_chat_settings(query_of(message));
  server.keep(std::make_unique<ChatSession>(server, connection, soup_server_message_get_socket(message),
                                            caller_of(message), settings),
              std::move(place));
}

}  // namespace

void add_chat_routes(Server& server) {
  soup_server_add_early_handler(
      server.http(), kChatPath,
      [](SoupServer*, SoupServerMessage* message, const char*, GHashTable*, gpointer server) {
        admit(*static_cast<Server*>(server), message);
      },
      &server, nullptr);
  soup_server_add_websocket_handler(
      server.http(), kChatPath, nullptr, nullptr,
      [](SoupServer*, SoupServerMessage* message, const char*, SoupWebsocketConnection* connection,
         gpointer server) { begin(*static_cast<Server*>(server), message, connection); },
      &server, nullptr);
}

}  // namespace serve
