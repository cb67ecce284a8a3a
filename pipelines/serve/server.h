// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// HTTP in front of conversations: who comes in, who is told to come later, and how it all ends.
#pragma once

#include <libsoup/soup.h>
#include <moshi/moshi.h>

#include <list>
#include <memory>
#include <string>

#include "options.h"
#include "serve/chat_session.h"

namespace serve {

struct ServerOptions : CommonOptions {
  std::string host = "localhost";
  int port = 8998;
  std::string statics;   ///< Directory of files to serve, empty: none.
  std::string ssl;       ///< Directory of cert.pem and key.pem, empty: plain HTTP.
  int max_sessions = 0;  ///< 0: what the device was found to hold.
  int drain_seconds = 30;
  bool allow_slow = false;
};

class Server {
 public:
  /// `context` has loaded everything; `places` conversations are held at a time.
  Server(const ServerOptions& options, std::shared_ptr<moshi::ExecutionContext> context, int places);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves until SIGTERM or SIGINT, then lets conversations end for `drain_seconds`.
  void run();

 private:
  void listen();
  void add_routes();
  /// Before a connection to /api/chat is upgraded: refuses what must be.
  void admit(SoupServerMessage* message, GHashTable* query);
  void begin(SoupServerMessage* message, SoupWebsocketConnection* connection);
  void remove(const ChatSession* session);
  void drain();
  void answer_status(SoupServerMessage* message) const;

  ServerOptions options_;
  std::shared_ptr<moshi::ExecutionContext> context_;
  size_t places_;
  SoupServer* server_;
  GMainLoop* loop_;
  std::list<std::unique_ptr<ChatSession>> sessions_;
  bool draining_ = false;
};

}  // namespace serve
