// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/observe/routes.h"

#include <nlohmann/json.hpp>

#include "serve/http/answer.h"

namespace serve {
namespace {

using nlohmann::ordered_json;

void answer_json(SoupServerMessage* message, const ordered_json& body) {
  answer(message, SOUP_STATUS_OK, "application/json",
         body.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

void answer_live(SoupServerMessage* message, Server&) { answer_line(message, SOUP_STATUS_OK, "ok"); }

/// Ready when all places are taken, too: who balances the load looks at the status.
void answer_ready(SoupServerMessage* message, Server& server) {
  if (server.admission().draining()) {
    answer_problem(message, SOUP_STATUS_SERVICE_UNAVAILABLE, "this server is about to stop");
  } else {
    answer_line(message, SOUP_STATUS_OK, "ok");
  }
}

void answer_status(SoupServerMessage* message, Server& server) {
  const Admission& admission = server.admission();
  answer_json(message, {{"slots_total", admission.places()},
                        {"slots_used", admission.used()},
                        {"draining", admission.draining()},
                        {"recording", server.recordings().wanted()},
                        {"model", server.context().model()},
                        {"version", moshi::build_info().version}});
}

void answer_build(SoupServerMessage* message, Server& server) {
  const moshi::BuildInfo build = moshi::build_info();
  const moshi::ContextStats stats = server.context().stats();
  answer_json(message, {{"version", build.version},
                        {"libtorch", build.libtorch},
                        {"cuda", build.cuda},
                        {"architectures", build.architectures},
                        {"device", stats.device},
                        {"device_name", stats.device_name},
                        {"precision", stats.precision}});
}

void answer_metrics(SoupServerMessage* message, Server& server) {
  answer(message, SOUP_STATUS_OK, "text/plain; version=0.0.4; charset=utf-8",
         server.metrics().text(server.admission().places(), server.admission().used()));
}

template <void (*Answer)(SoupServerMessage*, Server&)>
void add(SoupServer* http, Server& server, const char* path) {
  soup_server_add_handler(
      http, path,
      [](SoupServer*, SoupServerMessage* message, const char*, GHashTable*, gpointer data) {
        Answer(message, *static_cast<Server*>(data));
      },
      &server, nullptr);
}

}  // namespace

void add_status_routes(SoupServer* http, Server& server) {
  add<answer_live>(http, server, "/livez");
  add<answer_ready>(http, server, "/readyz");
  add<answer_status>(http, server, "/api/status");
  add<answer_build>(http, server, "/api/build_info");
}

void add_metrics_route(SoupServer* http, Server& server) { add<answer_metrics>(http, server, "/metrics"); }

}  // namespace serve
