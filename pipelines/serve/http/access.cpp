// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/access.h"

#include "serve/clock.h"
#include "serve/http/request.h"

namespace serve {
namespace {

constexpr guint kTooManyRequests = 429;
constexpr const char* kBearer = "Bearer ";

}  // namespace

std::string key_of(SoupServerMessage* message) {
  const std::string authorization = header_of(message, "Authorization");
  if (g_ascii_strncasecmp(authorization.c_str(), kBearer, strlen(kBearer)) == 0)
    return authorization.substr(strlen(kBearer));
  const auto query = query_of(message);
  const auto token = query.find("token");
  return token != query.end() ? token->second : "";
}

Access::Access(const AccessOptions& options) : origins_(options.origins), rate_(options.rate) {
  if (!options.keys.empty()) keys_.emplace(options.keys);
}

std::optional<Refusal> Access::refusal_of(SoupServerMessage* message) {
  if (!origins_.permits(header_of(message, "Origin"), header_of(message, "Host")))
    return Refusal{Reason::Auth, SOUP_STATUS_FORBIDDEN,
                   "expected a page of an allowed origin, found one of another; --origin allows it"};
  std::string caller = caller_of(message).remote;
  if (keys_) {
    const std::string key = key_of(message);
    const std::optional<int> line = keys_->line_of(key);
    if (!line)
      return Refusal{Reason::Auth, SOUP_STATUS_UNAUTHORIZED,
                     "expected a key of this server as Authorization: Bearer KEY or ?token=KEY, found " +
                         std::string(key.empty() ? "none" : "another")};
    caller = std::to_string(*line);
  }
  const int wait = rate_.take(caller, now());
  if (wait > 0)
    return Refusal{Reason::Rate, kTooManyRequests,
                   "expected fewer conversations a minute, found more: try again later", wait};
  return std::nullopt;
}

void Access::share(SoupServerMessage* message) const {
  const std::string origin = header_of(message, "Origin");
  if (!origins_.lists(origin)) return;
  SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
  soup_message_headers_replace(headers, "Access-Control-Allow-Origin", origin.c_str());
  soup_message_headers_replace(headers, "Vary", "Origin");
  soup_message_headers_replace(headers, "Access-Control-Expose-Headers", "Location, ETag, Link, Retry-After");
  if (header_of(message, "Access-Control-Request-Method").empty()) return;
  soup_message_headers_replace(headers, "Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE");
  soup_message_headers_replace(headers, "Access-Control-Allow-Headers",
                               "Authorization, Content-Type, If-Match, traceparent");
}

}  // namespace serve
