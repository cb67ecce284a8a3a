// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/routes.h"

#include <memory>
#include <utility>

#include "serve/http/answer.h"
#include "serve/http/request.h"
#include "serve/webrtc/call_request.h"
#include "serve/webrtc/ice_fragment.h"
#include "serve/webrtc/ice_servers.h"
#include "serve/webrtc/sdp_error.h"
#include "serve/webrtc/webrtc_session.h"

namespace serve {
namespace {

constexpr const char* kSdp = "application/sdp";
constexpr const char* kFragment = "application/trickle-ice-sdpfrag";
constexpr guint kPreconditionRequired = 428;

/// One of the two addresses at which calls are asked for.
struct Route {
  Server& server;
  const char* base;
  bool forms;  ///< multipart/form-data is taken, too.
};

void set_header(SoupServerMessage* message, const char* name, const std::string& value) {
  soup_message_headers_replace(soup_server_message_get_response_headers(message), name, value.c_str());
}

void answer_nothing(SoupServerMessage* message, guint status) {
  soup_server_message_set_status(message, status, nullptr);
}

void answer_options(SoupServerMessage* message) {
  set_header(message, "Accept-Post", kSdp);
  set_header(message, "Accept-Patch", kFragment);
  answer_nothing(message, SOUP_STATUS_OK);
}

std::string tag_of(const Session& session) { return '"' + session.id() + '"'; }

// ----------------------------------------------------------------------------------- asking for a call

/// A request that is answered later.
class PendingRequest {
 public:
  explicit PendingRequest(SoupServerMessage* message) : message_(message) {
    g_object_ref(message_);
    soup_server_message_pause(message_);
  }
  ~PendingRequest() {
    soup_server_message_unpause(message_);
    g_object_unref(message_);
  }
  PendingRequest(const PendingRequest&) = delete;
  PendingRequest& operator=(const PendingRequest&) = delete;
  [[nodiscard]] SoupServerMessage* get() const { return message_; }

 private:
  SoupServerMessage* message_;
};

std::unique_ptr<WebrtcSession> make_session(Server& server, const Caller& caller,
                                            const CallRequest& request) {
  const ServerOptions& options = server.options();
  return std::make_unique<WebrtcSession>(
      caller,
      WebrtcSession::Model{options, server.context().model(), server.context().codec(), options.allow_slow},
      request.settings, options.webrtc, request.offer, server.metrics(), server.recordings());
}

void answer_created(SoupServerMessage* message, const Route& route, const Session& session,
                    const std::string& sdp) {
  const WebrtcOptions& options = route.server.options().webrtc;
  const std::string node = options.node.empty() ? "" : options.node + '/';
  set_header(message, "Location", std::string(route.base) + '/' + node + session.id());
  set_header(message, "ETag", tag_of(session));
  for (const std::string& link : links_of(options)) {
    soup_message_headers_append(soup_server_message_get_response_headers(message), "Link", link.c_str());
  }
  answer(message, SOUP_STATUS_CREATED, kSdp, sdp);
}

void begin(const Route& route, SoupServerMessage* message, const CallRequest& request) {
  Server& server = route.server;
  Admission::Place place = server.admit(message);
  if (place == nullptr) return;
  auto pending = std::make_shared<PendingRequest>(message);
  auto session = make_session(server, caller_of(message), request);
  session->call_when_answered([&route, pending = std::move(pending), session = session.get()](
                                  unsigned status, const std::string& text) {
    if (status == SOUP_STATUS_CREATED) {
      answer_created(pending->get(), route, *session, text);
    } else {
      answer_problem(pending->get(), status, text);
    }
  });
  server.keep(std::move(session), std::move(place));
}

void handle_endpoint(const Route& route, SoupServerMessage* message, const std::string& method) {
  if (method == "GET" || method == "HEAD") return answer_nothing(message, SOUP_STATUS_NO_CONTENT);
  if (method != "POST") {
    answer_problem(message, SOUP_STATUS_METHOD_NOT_ALLOWED, "expected POST, GET or OPTIONS, found " + method);
    return;
  }
  try {
    begin(route, message, parse_call_request(message, route.forms));
  } catch (const SdpError& error) {
    route.server.refuse(message, {Reason::BadRequest, error.status(), error.what()});
  }
}

// -------------------------------------------------------------------------------------------- a call

/// Takes further addresses of a client.
void patch(WebrtcSession& session, SoupServerMessage* message) {
  SoupMessageHeaders* headers = soup_server_message_get_request_headers(message);
  const char* type = soup_message_headers_get_content_type(headers, nullptr);
  if (type == nullptr || std::string(type) != kFragment) {
    throw SdpError(SOUP_STATUS_UNSUPPORTED_MEDIA_TYPE,
                   std::string("expected ") + kFragment + ", found " + (type != nullptr ? type : "no type"));
  }
  const char* tag = soup_message_headers_get_one(headers, "If-Match");
  if (tag == nullptr)
    throw SdpError(kPreconditionRequired, "expected If-Match with the ETag of the call, found none");
  const IceFragment fragment = parse_ice_fragment(body_of(message));
  const bool restarts = (!fragment.ufrag.empty() && fragment.ufrag != session.offer().ufrag) ||
                        (!fragment.password.empty() && fragment.password != session.offer().password);
  if (restarts || std::string(tag) == "*" || std::string(tag) == "\"*\"") {
    throw SdpError(SOUP_STATUS_UNPROCESSABLE_ENTITY,
                   "expected candidates of this call, found a restart of ICE: ask for a new call instead");
  }
  if (tag != tag_of(session)) {
    throw SdpError(SOUP_STATUS_PRECONDITION_FAILED,
                   "expected If-Match with the ETag of the call, found " + excerpt(tag));
  }
  for (const std::string& candidate : fragment.candidates) session.add_candidate(candidate);
  answer_nothing(message, SOUP_STATUS_NO_CONTENT);
}

void handle_call(const Route& route, SoupServerMessage* message, const std::string& method,
                 const CallAddress& address) {
  auto* session = dynamic_cast<WebrtcSession*>(route.server.find(address.id));
  if (session == nullptr) {
    answer_problem(message, SOUP_STATUS_NOT_FOUND, "there is no call at this address, or no more");
  } else if ((method == "DELETE" && !address.hangup) || (method == "POST" && address.hangup)) {
    session->close(Ending::Client);
    answer_nothing(message, SOUP_STATUS_OK);
  } else if (method == "PATCH" && !address.hangup) {
    patch(*session, message);
  } else if (method == "GET" || method == "HEAD") {
    answer_nothing(message, SOUP_STATUS_NO_CONTENT);
  } else {
    answer_problem(message, SOUP_STATUS_METHOD_NOT_ALLOWED,
                   "expected PATCH or DELETE of a call, or POST of its hangup, found " + method);
  }
}

void handle(const Route& route, SoupServerMessage* message, const std::string& path) {
  const std::string method = soup_server_message_get_method(message);
  if (method == "OPTIONS") return answer_options(message);
  const auto address = parse_call_address(path, route.base, route.server.options().webrtc.node);
  try {
    if (!address) {
      answer_problem(message, SOUP_STATUS_NOT_FOUND, "there is nothing at this address");
    } else if (address->id.empty()) {
      handle_endpoint(route, message, method);
    } else {
      handle_call(route, message, method, *address);
    }
  } catch (const SdpError& error) {
    answer_problem(message, error.status(), error.what());
  }
}

/// Answers nobody, once: the first answer of a process takes longer than those after it.
void warm_up(Server& server) {
  CallRequest request;
  request.offer = {.ufrag = "nobody",
                   .password = "nobodynobodynobodynobo",
                   .fingerprint = "sha-256 00",
                   .setup = "actpass"};
  request.offer.audio = {.mid = "0", .payload_type = 111, .hears = true};
  const auto session = make_session(server, {}, request);
  bool answered = false;
  session->call_when_answered([&answered](unsigned, const std::string&) { answered = true; });
  while (!answered) g_main_context_iteration(nullptr, TRUE);
}

}  // namespace

void add_webrtc_routes(Server& server) {
  warm_up(server);
  for (const Route& route : {Route{server, "/whip", false}, Route{server, "/v1/realtime/calls", true}}) {
    soup_server_add_handler(
        server.http(), route.base,
        [](SoupServer*, SoupServerMessage* message, const char* path, GHashTable*, gpointer route) {
          handle(*static_cast<const Route*>(route), message, path);
        },
        new Route(route), [](gpointer data) { delete static_cast<Route*>(data); });
  }
}

}  // namespace serve
