// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The hall: HTTP in front of conversations, who comes in, and how it all ends. What carries conversations
// adds its own routes (chat/routes.h).
#pragma once

#include <libsoup/soup.h>
#include <moshi/moshi.h>

#include <functional>
#include <memory>
#include <string>

#include "options.h"
#include "pipeline.h"
#include "serve/admission.h"
#include "serve/http/access.h"
#include "serve/observe/log.h"
#include "serve/observe/metrics.h"
#include "serve/recording/recordings.h"
#include "serve/sessions.h"
#include "serve/waiting_room.h"
#include "serve/webrtc/options.h"

namespace serve {

struct ServerOptions : CommonOptions {
  std::string host = "localhost";
  int port = 8998;
  std::string statics;    ///< Directory of files to serve, empty: the page that is built in; or kNoFiles.
  std::string ssl;        ///< Directory of cert.pem and key.pem, empty: plain HTTP.
  int max_sessions = 0;   ///< 0: what the device was found to hold.
  int queue_seconds = 0;  ///< How long a client of /api/chat waits for a place; 0: not at all.
  int drain_seconds = 30;
  bool allow_slow = false;
  std::string admin_host = "localhost";
  int admin_port = 0;  ///< Where operators see metrics; 0: nowhere.
  int agent_port = 0;  ///< Where a balancer asks for the load; 0: nowhere.
  bool json_log = false;
  std::string record;  ///< Directory for recordings of all conversations, empty: there are none.
  AccessOptions access;
  Sessions::Limits limits{.idle_seconds = 60};
  WebrtcOptions webrtc;
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

  /// For routes: where they add their handlers, and what these need.
  [[nodiscard]] SoupServer* http() const { return public_.get(); }
  [[nodiscard]] const ServerOptions& options() const { return options_; }
  [[nodiscard]] const moshi::ExecutionContext& context() const { return *context_; }
  [[nodiscard]] const Admission& admission() const { return admission_; }
  [[nodiscard]] Metrics& metrics() { return metrics_; }
  [[nodiscard]] Recordings& recordings() { return recordings_; }
  /// False where the request may not ask for a conversation, and has its answer.
  bool permit(SoupServerMessage* message);
  /// A place for the conversation that a request asks for. Where it gets none the request is answered, and
  /// this is null.
  Admission::Place admit(SoupServerMessage* message);
  /// Likewise for a request that may wait: `then` is called with its place, now or later, or never.
  void admit_in_turn(SoupServerMessage* message, const std::function<void(Admission::Place place)>& then);
  /// Answers a request for a conversation that does not begin.
  void refuse(SoupServerMessage* message, const Refusal& refusal);
  /// Holds a conversation, in its place, until it ends.
  void keep(std::unique_ptr<Session> session, Admission::Place place);
  /// The conversation of that id, null where there is none.
  [[nodiscard]] Session* find(const std::string& id) const { return sessions_.find(id); }

 private:
  /// A place that nobody waits for, or null.
  Admission::Place take_place();
  void add_routes();
  void listen();
  void ended(const Session& session, double seconds);
  void drain();

  ServerOptions options_;
  std::shared_ptr<moshi::ExecutionContext> context_;
  Log log_;
  Metrics metrics_;
  Recordings recordings_;
  Access access_;
  Admission admission_;
  WaitingRoom waiting_room_;
  ObjectHandle<SoupServer> public_;
  ObjectHandle<SoupServer> admin_;
  ObjectHandle<GSocketService> agent_;
  GMainLoop* loop_;
  Sessions sessions_;
};

}  // namespace serve
