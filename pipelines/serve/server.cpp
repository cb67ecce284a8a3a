// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/server.h"

#include <glib-unix.h>

#include <csignal>

#include "serve/chat/routes.h"
#include "serve/clock.h"
#include "serve/http/answer.h"
#include "serve/http/limits.h"
#include "serve/http/listen.h"
#include "serve/http/request.h"
#include "serve/http/static_files.h"
#include "serve/observe/agent.h"
#include "serve/observe/routes.h"
#include "serve/webrtc/routes.h"

namespace serve {
namespace {

/// A closing handshake takes no longer.
constexpr guint kGoodbyeSeconds = 2;

SoupServer* new_server() { return soup_server_new("server-header", "gst-moshi", nullptr); }

/// Lets pages of the listed origins read all answers of a server.
void share_answers(SoupServer* server, Access& access) {
  static const auto got_headers =
      +[](SoupServerMessage* message, gpointer data) { static_cast<Access*>(data)->share(message); };
  const auto started = +[](SoupServer*, SoupServerMessage* message, gpointer data) {
    g_signal_connect(message, "got-headers", G_CALLBACK(got_headers), data);
  };
  g_signal_connect(server, "request-started", G_CALLBACK(started), &access);
}

}  // namespace

Server::Server(const ServerOptions& options, std::shared_ptr<moshi::ExecutionContext> context, int places)
    : options_(options),
      context_(std::move(context)),
      log_(options.json_log),
      metrics_(moshi::build_info().version, context_->model(),
               static_cast<double>(context_->codec().frame_ns) * 1e-9),
      recordings_(options.record, context_->model(), context_->codec().frame_ns, log_),
      access_(options.access),
      admission_(static_cast<size_t>(places)),
      waiting_room_(admission_, options.queue_seconds),
      public_(new_server()),
      admin_(options.admin_port != 0 ? new_server() : nullptr),
      agent_(options.agent_port != 0 ? new_agent(admission_) : nullptr),
      loop_(g_main_loop_new(nullptr, FALSE)),
      sessions_(options.limits, [this](const Session& session, double seconds) { ended(session, seconds); }) {
  add_routes();
}

Server::~Server() {
  sessions_.clear();
  soup_server_disconnect(public_.get());
  if (agent_) g_socket_listener_close(G_SOCKET_LISTENER(agent_.get()));
  g_main_loop_unref(loop_);
}

void Server::add_routes() {
  SoupServer* http = public_.get();
  soup_server_remove_websocket_extension(http, SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE);  // Opus is dense.
  limit_requests(http);
  share_answers(http, access_);
  add_chat_routes(*this);
  add_webrtc_routes(*this);
  add_status_routes(http, *this);
  soup_server_add_handler(
      http, "/",
      [](SoupServer*, SoupServerMessage* message, const char* path, GHashTable*, gpointer self) {
        answer_static(message, static_cast<Server*>(self)->options_.statics, path);
      },
      this, nullptr);
  if (admin_ == nullptr) return;
  limit_requests(admin_.get());
  add_status_routes(admin_.get(), *this);
  add_metrics_route(admin_.get(), *this);
}

void Server::listen() {
  serve::listen(public_.get(), {options_.host, options_.port, options_.ssl, "--"});
  if (admin_) serve::listen(admin_.get(), {options_.admin_host, options_.admin_port, "", "--admin-"});
  if (agent_)
    serve::listen(G_SOCKET_LISTENER(agent_.get()), {options_.host, options_.agent_port, "", "--agent-"});
  log_.listening((options_.ssl.empty() ? "http://" : "https://") + options_.host + ":" +
                 std::to_string(options_.port));
}

bool Server::permit(SoupServerMessage* message) {
  const std::optional<Refusal> refusal = access_.refusal_of(message);
  if (refusal) refuse(message, *refusal);
  return !refusal;
}

Admission::Place Server::take_place() { return waiting_room_.empty() ? admission_.take() : nullptr; }

Admission::Place Server::admit(SoupServerMessage* message) {
  if (!permit(message)) return nullptr;
  Admission::Place place = take_place();
  if (place == nullptr) refuse(message, admission_.refusal());
  return place;
}

void Server::admit_in_turn(SoupServerMessage* message,
                           const std::function<void(Admission::Place place)>& then) {
  if (!permit(message)) return;
  if (Admission::Place place = take_place()) {
    then(std::move(place));
  } else if (!waiting_room_.open()) {
    refuse(message, admission_.refusal());
  } else {
    allow_silence(message);
    soup_server_message_pause(message);
    waiting_room_.wait([this, begun = now(), message = g_object_ref(message), then](Admission::Place free) {
      metrics_.queued(now() - begun);
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
  metrics_.refused(refusal.reason);
  log_.refused(caller_of(message), refusal);
}

void Server::keep(std::unique_ptr<Session> session, Admission::Place place) {
  log_.began(*session);
  sessions_.keep(std::move(session), std::move(place));
}

void Server::ended(const Session& session, double seconds) {
  metrics_.ended(session, seconds);
  log_.ended(session, seconds);
  if (admission_.draining() && sessions_.size() == 0) g_main_loop_quit(loop_);
}

void Server::drain() {
  admission_.drain();
  waiting_room_.clear();
  log_.draining(sessions_.size(), options_.drain_seconds);
  if (sessions_.size() == 0) {
    g_main_loop_quit(loop_);
    return;
  }
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
  g_main_loop_run(loop_);
}

}  // namespace serve
