// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/server.h"

#include <glib-unix.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>

#include "pipeline.h"
#include "report.h"
#include "serve/chat/routes.h"
#include "serve/http/answer.h"
#include "serve/http/static_files.h"

namespace serve {
namespace {

using nlohmann::ordered_json;

/// Seconds after which it is worth asking again.
constexpr const char* kRetryAfter = "5";
/// Bytes the kernel keeps for a client: some seconds of speech. What it does not take is counted as unsent.
constexpr gint kSendBuffer = 16 * 1024;
/// A closing handshake takes no longer.
constexpr guint kGoodbyeSeconds = 2;

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
GList* addresses_of(const std::string& host) {
  GResolver* resolver = g_resolver_get_default();
  GError* raw_error = nullptr;
  GList* addresses = g_resolver_lookup_by_name(resolver, host.c_str(), nullptr, &raw_error);
  g_object_unref(resolver);
  const GstHandle<GError> error(raw_error);
  if (error)
    throw Failure(Status::Usage,
                  "--host " + host + ": expected an address of this machine, found: " + error->message);
  return addresses;
}

}  // namespace

Server::Server(const ServerOptions& options, std::shared_ptr<moshi::ExecutionContext> context, int places)
    : options_(options),
      context_(std::move(context)),
      admission_(static_cast<size_t>(places)),
      server_(soup_server_new("server-header", "gst-moshi", nullptr)),
      loop_(g_main_loop_new(nullptr, FALSE)) {
  add_routes();
}

Server::~Server() {
  sessions_.clear();
  soup_server_disconnect(server_);
  g_object_unref(server_);
  g_main_loop_unref(loop_);
}

void Server::listen() {
  GTlsCertificate* certificate = options_.ssl.empty() ? nullptr : certificate_of(options_.ssl);
  if (certificate != nullptr) {
    soup_server_set_tls_certificate(server_, certificate);
    g_object_unref(certificate);
  }
  const auto flags =
      certificate != nullptr ? SOUP_SERVER_LISTEN_HTTPS : static_cast<SoupServerListenOptions>(0);
  GList* addresses = addresses_of(options_.host);
  GstHandle<GError> error;
  bool listening = false;
  for (GList* entry = addresses; entry != nullptr; entry = entry->next) {
    GSocketAddress* address =
        g_inet_socket_address_new(G_INET_ADDRESS(entry->data), static_cast<guint16>(options_.port));
    GError* raw_error = nullptr;
    // A host may have an address of IPv6 that is not up.
    listening |= soup_server_listen(server_, address, flags, &raw_error) != FALSE;
    if (raw_error != nullptr) error.reset(raw_error);
    g_object_unref(address);
  }
  g_resolver_free_addresses(addresses);
  GSList* sockets = soup_server_get_listeners(server_);
  for (GSList* entry = sockets; entry != nullptr; entry = entry->next) {
    g_socket_set_option(G_SOCKET(entry->data), SOL_SOCKET, SO_SNDBUF, kSendBuffer, nullptr);
  }
  g_slist_free(sockets);
  if (!listening) {
    throw Failure(Status::Other, "expected port " + std::to_string(options_.port) + " of " + options_.host +
                                     " to be free, found: " + (error ? error->message : "no address") +
                                     "; choose another with --port");
  }
}

void Server::add_routes() {
  soup_server_remove_websocket_extension(server_, SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE);  // Opus is dense.
  add_chat_routes(*this);
  const auto add = [this](const char* path, SoupServerCallback handler) {
    soup_server_add_handler(server_, path, handler, this, nullptr);
  };
  add("/livez", [](SoupServer*, SoupServerMessage* message, const char*, GHashTable*, gpointer) {
    answer_line(message, SOUP_STATUS_OK, "ok");
  });
  add("/readyz", [](SoupServer*, SoupServerMessage* message, const char*, GHashTable*, gpointer self) {
    const bool ready = !static_cast<Server*>(self)->admission_.draining();
    answer_line(message, ready ? SOUP_STATUS_OK : SOUP_STATUS_SERVICE_UNAVAILABLE, ready ? "ok" : "draining");
  });
  add("/api/status", [](SoupServer*, SoupServerMessage* message, const char*, GHashTable*, gpointer self) {
    static_cast<Server*>(self)->answer_status(message);
  });
  add("/", [](SoupServer*, SoupServerMessage* message, const char* path, GHashTable*, gpointer self) {
    answer_static(message, static_cast<Server*>(self)->options_.statics, path);
  });
}

void Server::answer_status(SoupServerMessage* message) const {
  const ordered_json status = {{"slots_total", admission_.places()},
                               {"slots_used", admission_.used()},
                               {"draining", admission_.draining()},
                               {"model", context_->model()},
                               {"version", moshi::build_info().version}};
  answer(message, SOUP_STATUS_OK, "application/json", status.dump() + "\n");
}

Admission::Place Server::admit(SoupServerMessage* message) {
  Admission::Place place = admission_.take();
  if (place == nullptr) {
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Retry-After",
                                 kRetryAfter);
    answer_line(message, SOUP_STATUS_SERVICE_UNAVAILABLE, admission_.why_refused());
  }
  return place;
}

void Server::keep(std::unique_ptr<Session> session, Admission::Place place) {
  session->call_at_end([this, ended = session.get()] { remove(ended); });
  sessions_.push_back({std::move(place), std::move(session)});
}

Session* Server::find(const std::string& id) const {
  const auto held = std::find_if(sessions_.begin(), sessions_.end(),
                                 [&](const Held& entry) { return entry.session->id() == id; });
  return held != sessions_.end() ? held->session.get() : nullptr;
}

/// Not at once: the session is still in its call.
void Server::remove(const Session* session) {
  struct Removal {
    Server* server;
    const Session* session;
  };
  g_idle_add_full(
      G_PRIORITY_DEFAULT,
      [](gpointer data) -> gboolean {
        const auto* removal = static_cast<Removal*>(data);
        Server& server = *removal->server;
        std::erase_if(server.sessions_,
                      [&](const Held& held) { return held.session.get() == removal->session; });
        if (server.admission_.draining() && server.sessions_.empty()) g_main_loop_quit(server.loop_);
        return G_SOURCE_REMOVE;
      },
      new Removal{this, session}, [](gpointer data) { delete static_cast<Removal*>(data); });
}

void Server::drain() {
  admission_.drain();
  if (sessions_.empty()) {
    g_main_loop_quit(loop_);
    return;
  }
  print_message("ending: " + std::to_string(sessions_.size()) + " conversations have " +
                std::to_string(options_.drain_seconds) + " s left; interrupt again to end them now");
  g_timeout_add_seconds(
      static_cast<guint>(options_.drain_seconds),
      [](gpointer self) -> gboolean {
        auto* server = static_cast<Server*>(self);
        for (const Held& held : server->sessions_) held.session->close(Ending::Stopping);
        g_timeout_add_seconds(
            kGoodbyeSeconds,
            [](gpointer loop) -> gboolean {
              g_main_loop_quit(static_cast<GMainLoop*>(loop));
              return G_SOURCE_REMOVE;
            },
            server->loop_);
        return G_SOURCE_REMOVE;
      },
      this);
}

void Server::run() {
  listen();
  const auto on_signal = [](gpointer self) -> gboolean {
    auto* server = static_cast<Server*>(self);
    if (server->admission_.draining()) {
      g_main_loop_quit(server->loop_);
    } else {
      server->drain();
    }
    return G_SOURCE_CONTINUE;
  };
  // For good: another signal while the process ends must not kill it.
  g_unix_signal_add(SIGTERM, on_signal, this);
  g_unix_signal_add(SIGINT, on_signal, this);
  std::cerr << "listening on " << (options_.ssl.empty() ? "http" : "https") << "://" << options_.host << ':'
            << options_.port << std::endl;
  g_main_loop_run(loop_);
}

}  // namespace serve
