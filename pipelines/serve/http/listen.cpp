// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/listen.h"

#include <sys/socket.h>

#include <functional>
#include <string>

#include "pipeline.h"
#include "report.h"

namespace serve {
namespace {

/// Bytes the kernel keeps for a client: some seconds of speech. What it does not take is counted as unsent.
constexpr gint kSendBuffer = 16 * 1024;

GTlsCertificate* certificate_of(const std::string& directory) {
  GError* raw_error = nullptr;
  GTlsCertificate* certificate = g_tls_certificate_new_from_files(
      (directory + "/cert.pem").c_str(), (directory + "/key.pem").c_str(), &raw_error);
  const GstHandle<GError> error(raw_error);
  if (certificate == nullptr) {
    throw Failure(Status::BadFile,
                  "--ssl " + directory + ": expected cert.pem and key.pem, found: " + error->message);
  }
  return certificate;
}

/// The addresses of a host's name.
GList* addresses_of(const Address& where) {
  GResolver* resolver = g_resolver_get_default();
  GError* raw_error = nullptr;
  GList* addresses = g_resolver_lookup_by_name(resolver, where.host.c_str(), nullptr, &raw_error);
  g_object_unref(resolver);
  const GstHandle<GError> error(raw_error);
  if (error)
    throw Failure(Status::Usage, where.options + "host " + where.host +
                                     ": expected an address of this machine, found: " + error->message);
  return addresses;
}

/// Opens the host's addresses with `open`; one of them must do.
void open_each(const Address& where, const std::function<bool(GSocketAddress*, GError**)>& open) {
  GList* addresses = addresses_of(where);
  GstHandle<GError> error;
  bool listening = false;
  for (GList* entry = addresses; entry != nullptr; entry = entry->next) {
    GSocketAddress* address =
        g_inet_socket_address_new(G_INET_ADDRESS(entry->data), static_cast<guint16>(where.port));
    GError* raw_error = nullptr;
    // A host may have an address of IPv6 that is not up.
    listening |= open(address, &raw_error);
    if (raw_error != nullptr) error.reset(raw_error);
    g_object_unref(address);
  }
  g_resolver_free_addresses(addresses);
  if (!listening) {
    throw Failure(Status::Other, "expected port " + std::to_string(where.port) + " of " + where.host +
                                     " to be free, found: " + (error ? error->message : "no address") +
                                     "; choose another with " + where.options + "port");
  }
}

}  // namespace

void listen(SoupServer* server, const Address& where) {
  GTlsCertificate* certificate = where.ssl.empty() ? nullptr : certificate_of(where.ssl);
  if (certificate != nullptr) {
    soup_server_set_tls_certificate(server, certificate);
    g_object_unref(certificate);
  }
  const auto flags =
      certificate != nullptr ? SOUP_SERVER_LISTEN_HTTPS : static_cast<SoupServerListenOptions>(0);
  open_each(where, [server, flags](GSocketAddress* address, GError** error) {
    return soup_server_listen(server, address, flags, error) != FALSE;
  });
  GSList* sockets = soup_server_get_listeners(server);
  for (GSList* entry = sockets; entry != nullptr; entry = entry->next) {
    g_socket_set_option(G_SOCKET(entry->data), SOL_SOCKET, SO_SNDBUF, kSendBuffer, nullptr);
  }
  g_slist_free(sockets);
}

void listen(GSocketListener* listener, const Address& where) {
  open_each(where, [listener](GSocketAddress* address, GError** error) {
    return g_socket_listener_add_address(listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP,
                                         nullptr, nullptr, error) != FALSE;
  });
}

}  // namespace serve
