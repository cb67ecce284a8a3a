// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/request.h"

#include <regex>

namespace serve {

std::map<std::string, std::string> query_of(SoupServerMessage* message) {
  const char* text = g_uri_get_query(soup_server_message_get_uri(message));
  return text != nullptr ? decode_query(text) : std::map<std::string, std::string>();
}

std::map<std::string, std::string> decode_query(const std::string& text) {
  std::map<std::string, std::string> map;
  GHashTable* query = soup_form_decode(text.c_str());
  GHashTableIter entries;
  gpointer name = nullptr;
  gpointer value = nullptr;
  g_hash_table_iter_init(&entries, query);
  while (g_hash_table_iter_next(&entries, &name, &value) != FALSE) {
    map[static_cast<const char*>(name)] = static_cast<const char*>(value);
  }
  g_hash_table_unref(query);
  return map;
}

std::string header_of(SoupServerMessage* message, const char* name) {
  const char* value = soup_message_headers_get_one(soup_server_message_get_request_headers(message), name);
  return value != nullptr ? value : "";
}

Caller caller_of(SoupServerMessage* message) {
  const char* remote = soup_server_message_get_remote_host(message);
  return {remote != nullptr ? remote : "", trace_id_of(header_of(message, "traceparent"))};
}

std::string trace_id_of(const std::string& traceparent) {
  static const std::regex form("[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}");
  std::smatch found;
  if (!std::regex_match(traceparent, found, form)) return "";
  return found[1].str() == std::string(32, '0') ? "" : found[1].str();
}

}  // namespace serve
