// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The hall: HTTP in front of conversations, who comes in, and how it all ends. What carries conversations
// adds its own routes (chat/routes.h).
#pragma once

#include <libsoup/soup.h>
#include <moshi/moshi.h>

#include <list>
#include <memory>
#include <string>

#include "options.h"
#include "serve/admission.h"
#include "serve/session.h"

namespace serve {

struct ServerOptions : CommonOptions {
  std::string host = "localhost";
  int port = 8998;
  std::string statics;   ///< Directory of files to serve, empty: the page that is built in; or kNoFiles.
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

  /// For routes: where they add their handlers.
  [[nodiscard]] SoupServer* http() const { return server_; }
  [[nodiscard]] const ServerOptions& options() const { return options_; }
  [[nodiscard]] const moshi::CodecInfo& codec() const { return context_->codec(); }
  /// A place for the conversation that a request asks for. Where there is none the request is answered, and
  /// this is null.
  Admission::Place admit(SoupServerMessage* message);
  /// Holds a conversation, in its place, until it ends.
  void keep(std::unique_ptr<Session> session, Admission::Place place);
  /// The conversation of that id, null where there is none.
  [[nodiscard]] Session* find(const std::string& id) const;

 private:
  struct Held {
    Admission::Place place;
    std::unique_ptr<Session> session;
  };

  void listen();
  /// What is answered whatever carries conversations.
  void add_routes();
  void remove(const Session* session);
  void drain();
  void answer_status(SoupServerMessage* message) const;

  ServerOptions options_;
  std::shared_ptr<moshi::ExecutionContext> context_;
  Admission admission_;
  SoupServer* server_;
  GMainLoop* loop_;
  std::list<Held> sessions_;
};

}  // namespace serve
