// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/routes.h"

#include <map>
#include <stdexcept>

#include "serve/chat/chat_session.h"
#include "serve/http/answer.h"

namespace serve {
namespace {

constexpr const char* kChatPath = "/api/chat";
constexpr guint kUpgradeRequired = 426;
/// What a request is known by to keep, until its conversation begins.
constexpr const char* kPlace = "gst-moshi-place";

std::map<std::string, std::string> as_map(GHashTable* query) {
  std::map<std::string, std::string> map;
  if (query == nullptr) return map;
  GHashTableIter entries;
  gpointer name = nullptr;
  gpointer value = nullptr;
  g_hash_table_iter_init(&entries, query);
  while (g_hash_table_iter_next(&entries, &name, &value) != FALSE) {
    map[static_cast<const char*>(name)] = static_cast<const char*>(value);
  }
  return map;
}

/// The query of a request, as sent.
std::map<std::string, std::string> query_of(SoupServerMessage* message) {
  const char* text = g_uri_get_query(soup_server_message_get_uri(message));
  if (text == nullptr) return {};
  GHashTable* query = soup_form_decode(text);
  std::map<std::string, std::string> map = as_map(query);
  g_hash_table_unref(query);
  return map;
}

/// Before a connection is upgraded: refuses what must be.
void admit(Server& server, SoupServerMessage* message) {
  SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
  if (!soup_message_headers_header_contains(headers, "Upgrade", "websocket")) {
    answer_line(message, kUpgradeRequired, "expected a WebSocket, found a plain request");
    return;
  }
  try {
    parse_chat_settings(query_of(message));
  } catch (const std::invalid_argument& error) {
    answer_line(message, SOUP_STATUS_BAD_REQUEST, error.what());
    return;
  }
  Admission::Place place = server.admit(message);
  if (place == nullptr) return;
  // A request that goes before its upgrade gives the place back.
  g_object_set_data_full(G_OBJECT(message), kPlace, place.release(),
                         [](gpointer taken) { Admission::Place(static_cast<Admission*>(taken)); });
}

void begin(Server& server, SoupServerMessage* message, SoupWebsocketConnection* connection) {
  Admission::Place place(static_cast<Admission*>(g_object_steal_data(G_OBJECT(message), kPlace)));
  const ChatSettings settings = parse_chat_settings(query_of(message));
  server.keep(std::make_unique<ChatSession>(connection, soup_server_message_get_remote_host(message),
                                            server.options(), server.codec(), settings),
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
