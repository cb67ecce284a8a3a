// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/server.h"

#include <glib-unix.h>

#include <csignal>

#include "report.h"
#include "serve/chat/routes.h"
#include "serve/http/answer.h"
#include "serve/http/limits.h"
#include "serve/http/listen.h"
#include "serve/http/static_files.h"
#include "serve/webrtc/routes.h"

namespace serve {
namespace {

using nlohmann::ordered_json;

/// A closing handshake takes no longer.
constexpr guint kGoodbyeSeconds = 2;

}  // namespace

Server::Server(const ServerOptions& options, std::shared_ptr<moshi::ExecutionContext> context, int places)
    : options_(options),
      context_(std::move(context)),
      access_(options.access),
      admission_(static_cast<size_t>(places)),
      waiting_room_(admission_, options.queue_seconds),
      server_(soup_server_new("server-header", "gst-moshi", nullptr)),
      loop_(g_main_loop_new(nullptr, FALSE)),
      sessions_(options.limits, [this](const Session&, double) { ended(); }) {
  add_routes();
}

Server::~Server() {
  soup_server_disconnect(server_);
  g_object_unref(server_);
  g_main_loop_unref(loop_);
}

void Server::add_routes() {
  soup_server_remove_websocket_extension(server_, SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE);  // Opus is dense.
  limit_requests(server_);
  g_signal_connect(
      server_, "request-started", G_CALLBACK(+[](SoupServer*, SoupServerMessage* message, gpointer self) {
        g_signal_connect(message, "got-headers", G_CALLBACK(+[](SoupServerMessage* request, gpointer server) {
                           static_cast<Server*>(server)->access_.share(request);
                         }),
                         self);
      }),
      this);
  add_chat_routes(*this);
  add_webrtc_routes(*this);
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

bool Server::permit(SoupServerMessage* message) {
  const std::optional<Refusal> refusal = access_.refusal_of(message);
  if (refusal) refuse(message, *refusal);
  return !refusal;
}

Admission::Place Server::admit(SoupServerMessage* message) {
  if (!permit(message)) return nullptr;
  Admission::Place place = waiting_room_.empty() ? admission_.take() : nullptr;
  if (place == nullptr) refuse(message, admission_.refusal());
  return place;
}

void Server::admit_in_turn(SoupServerMessage* message, std::function<void(Admission::Place place)> then) {
  if (!permit(message)) return;
  if (Admission::Place place = waiting_room_.empty() ? admission_.take() : nullptr) {
    then(std::move(place));
  } else if (!waiting_room_.open()) {
    refuse(message, admission_.refusal());
  } else {
    allow_silence(message);
    soup_server_message_pause(message);
    waiting_room_.wait([this, message = g_object_ref(message), then](Admission::Place free) {
      if (free == nullptr) {
        refuse(message, admission_.refusal());
      } else {
        then(std::move(free));
      }
      soup_server_message_unpause(message);
      g_object_unref(message);
    });
  }
}

void Server::refuse(SoupServerMessage* message, const Refusal& refusal) {
  SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
  if (refusal.retry_after > 0)
    soup_message_headers_replace(headers, "Retry-After", std::to_string(refusal.retry_after).c_str());
  if (refusal.status == SOUP_STATUS_UNAUTHORIZED)
    soup_message_headers_replace(headers, "WWW-Authenticate", "Bearer");
  answer_problem(message, refusal.status, refusal.line);
}

void Server::ended() {
  if (admission_.draining() && sessions_.size() == 0) g_main_loop_quit(loop_);
}

void Server::drain() {
  admission_.drain();
  waiting_room_.clear();
  if (sessions_.size() == 0) {
    g_main_loop_quit(loop_);
    return;
  }
  print_message("ending: " + std::to_string(sessions_.size()) + " conversations have " +
                std::to_string(options_.drain_seconds) + " s left; interrupt again to end them now");
  g_timeout_add_seconds(
      static_cast<guint>(options_.drain_seconds),
      [](gpointer self) -> gboolean {
        auto* server = static_cast<Server*>(self);
        server->sessions_.close_all(Ending::Stopping);
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
  listen(server_, {options_.host, options_.port, options_.ssl, "--port"});
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
