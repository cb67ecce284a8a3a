// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/call_request.h"

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "serve/http/request.h"
#include "serve/webrtc/sdp_error.h"

namespace serve {
namespace {

using Names = std::map<std::string, std::string>;

constexpr unsigned kBadRequest = 400;
constexpr unsigned kUnsupportedType = 415;

/// The parts of a form that have names.
Names form_of(SoupServerMessage* message) {
  const std::unique_ptr<GBytes, void (*)(GBytes*)> body(
      soup_message_body_flatten(soup_server_message_get_request_body(message)), g_bytes_unref);
  const std::unique_ptr<SoupMultipart, void (*)(SoupMultipart*)> form(
      soup_multipart_new_from_message(soup_server_message_get_request_headers(message), body.get()),
      soup_multipart_free);
  Names names;
  if (!form) return names;
  for (int i = 0; i < soup_multipart_get_length(form.get()); ++i) {
    SoupMessageHeaders* headers = nullptr;
    GBytes* part = nullptr;
    soup_multipart_get_part(form.get(), i, &headers, &part);
    GHashTable* parameters = nullptr;
    char* disposition = nullptr;
    if (soup_message_headers_get_content_disposition(headers, &disposition, &parameters) == FALSE) continue;
    const auto* name = static_cast<const char*>(g_hash_table_lookup(parameters, "name"));
    gsize size = 0;
    const auto* bytes = static_cast<const char*>(g_bytes_get_data(part, &size));
    if (name != nullptr) names[name] = std::string(bytes, size);
    g_free(disposition);
    g_hash_table_unref(parameters);
  }
  return names;
}

/// The text of a string below `object`.
std::string text_at(const nlohmann::json& object, const char* pointer) {
  const nlohmann::json::json_pointer place(pointer);
  return object.contains(place) && object.at(place).is_string() ? object.at(place).get<std::string>() : "";
}

}  // namespace

std::optional<CallAddress> parse_call_address(const std::string& path, const std::string& base,
                                              const std::string& node) {
  if (!path.starts_with(base)) return {};
  std::string rest = path.substr(base.size());
  if (!rest.empty() && rest[0] != '/') return {};
  CallAddress address;
  constexpr std::string_view kHangup = "/hangup";
  if (rest.ends_with(kHangup)) {
    address.hangup = true;
    rest.resize(rest.size() - kHangup.size());
  }
  if (!node.empty() && rest.starts_with("/" + node + "/")) rest.erase(0, node.size() + 1);
  address.id = rest.empty() ? "" : rest.substr(1);
  if (address.id.find('/') != std::string::npos || (address.hangup && address.id.empty())) return {};
  return address;
}

std::string body_of(SoupServerMessage* message) {
  const std::unique_ptr<GBytes, void (*)(GBytes*)> body(
      soup_message_body_flatten(soup_server_message_get_request_body(message)), g_bytes_unref);
  gsize size = 0;
  const auto* bytes = static_cast<const char*>(g_bytes_get_data(body.get(), &size));
  return {bytes, size};
}

ChatSettings parse_session(const std::string& text) {
  const nlohmann::json session = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!session.is_object()) {
    throw std::invalid_argument("expected the part session to be a JSON object, found " + excerpt(text));
  }
  Names names;
  for (const auto& [name, value] : session.items()) {
    if (value.is_number()) names[name] = value.dump();
  }
  names["text_prompt"] = text_at(session, "/instructions");
  names["voice_prompt"] = text_at(session, "/audio/output/voice");
  return parse_chat_settings(names);
}

CallRequest parse_call_request(SoupServerMessage* message, bool forms) {
  const char* raw_type =
      soup_message_headers_get_content_type(soup_server_message_get_request_headers(message), nullptr);
  const std::string type = raw_type != nullptr ? raw_type : "no type";
  try {
    if (type == "application/sdp") {
      return {parse_offer(body_of(message)), parse_chat_settings(query_of(message))};
    }
    if (forms && type == "multipart/form-data") {
      Names form = form_of(message);
      if (!form.contains("sdp")) throw SdpError(kBadRequest, "expected a form with a part sdp, found none");
      return {parse_offer(form["sdp"]), form.contains("session") ? parse_session(form["session"])
                                                                 : parse_chat_settings(query_of(message))};
    }
  } catch (const SdpError&) {
    throw;
  } catch (const std::invalid_argument& error) {
    throw SdpError(kBadRequest, error.what());
  }
  throw SdpError(kUnsupportedType, std::string("expected application/sdp") +
                                       (forms ? " or multipart/form-data" : "") + ", found " + type);
}

}  // namespace serve
