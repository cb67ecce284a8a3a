// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "address.h"

ObjectHandle<GSocketAddress> parse_address(const std::string& option, const std::string& text) {
  const std::string expected = option + ": expected HOST:PORT, found '" + text + "'";
  if (text.find_last_of(':') == std::string::npos || text.back() == ']')
    throw Failure(Status::Usage, expected);
  GError* raw_error = nullptr;
  const ObjectHandle<GSocketConnectable> named(g_network_address_parse(text.c_str(), 0, &raw_error));
  if (raw_error == nullptr) {
    const ObjectHandle<GSocketAddressEnumerator> all(g_socket_connectable_enumerate(named.get()));
    ObjectHandle<GSocketAddress> address(g_socket_address_enumerator_next(all.get(), nullptr, &raw_error));
    if (address) return address;
  }
  const GstHandle<GError> error(raw_error);
  throw Failure(Status::Usage, expected + (error ? std::string(": ") + error->message : ""));
}

std::string to_text(GSocketAddress* address) {
  return GstHandle<gchar>(g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(address))).get();
}

Failure cannot_listen(const std::string& option, const std::string& text, GError* raw_error) {
  const GstHandle<GError> error(raw_error);
  return {Status::Other,
          option + ": expected a free address of this machine, found '" + text + "': " + error->message};
}
