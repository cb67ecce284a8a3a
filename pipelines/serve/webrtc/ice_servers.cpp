// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/ice_servers.h"

#include <gio/gio.h>

#include <memory>
#include <optional>

namespace serve {
namespace {

struct Address {
  std::string scheme;
  std::string host;  ///< In brackets where it is one of IPv6.
  int port;
  std::string query;
  std::string user;
  std::string password;
};

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

std::optional<Address> parse(const std::string& text) {
  const std::unique_ptr<GUri, void (*)(GUri*)> uri(
      g_uri_parse(text.c_str(), G_URI_FLAGS_HAS_PASSWORD, nullptr), g_uri_unref);
  if (!uri) return {};
  Address address{text_of(g_uri_get_scheme(uri.get())),
                  text_of(g_uri_get_host(uri.get())),
                  g_uri_get_port(uri.get()),
                  text_of(g_uri_get_query(uri.get())),
                  text_of(g_uri_get_user(uri.get())),
                  text_of(g_uri_get_password(uri.get()))};
  if (address.host.empty() || address.port < 1) return {};
  if (address.host.find(':') != std::string::npos) address.host = "[" + address.host + "]";
  return address;
}

std::string in_quotes(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string link_of(const Address& address) {
  std::string link = "<" + address.scheme + ":" + address.host + ":" + std::to_string(address.port);
  if (!address.query.empty()) link += "?" + address.query;
  link += ">; rel=\"ice-server\"";
  if (address.user.empty()) return link;
  return link + "; username=" + in_quotes(address.user) + "; credential=" + in_quotes(address.password) +
         "; credential-type=\"password\"";
}

}  // namespace

std::string check_stun(const std::string& text) {
  const auto address = parse(text);
  return address && address->scheme == "stun" ? "" : "expected stun://HOST:PORT, found '" + text + "'";
}

std::string check_turn(const std::string& text) {
  const auto address = parse(text);
  const bool good = address && (address->scheme == "turn" || address->scheme == "turns") &&
                    !address->user.empty() && !address->password.empty();
  return good ? "" : "expected turn://USER:PASSWORD@HOST:PORT (or turns://...), found something else";
}

std::vector<std::string> links_of(const WebrtcOptions& options) {
  std::vector<std::string> links;
  if (const auto address = parse(options.stun)) links.push_back(link_of(*address));
  for (const std::string& server : options.turn) {
    if (const auto address = parse(server)) links.push_back(link_of(*address));
  }
  return links;
}

}  // namespace serve
