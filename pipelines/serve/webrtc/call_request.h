// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a request says that asks for a call, or is about one.
#pragma once

#include <libsoup/soup.h>

#include <optional>
#include <string>

#include "serve/chat/chat_settings.h"
#include "serve/webrtc/offer.h"

namespace serve {

/// Where a call is: /whip/ID or /whip/NODE/ID, and likewise below /v1/realtime/calls.
struct CallAddress {
  std::string id;  ///< Empty: the address at which calls are asked for.
  bool hangup = false;
};

/// Reads a path below `base`; `node` is this server's name. Nothing where it is none of this server's.
std::optional<CallAddress> parse_call_address(const std::string& path, const std::string& base,
                                              const std::string& node);

/// The bytes of a request's body.
std::string body_of(SoupServerMessage* message);

struct CallRequest {
  Offer offer;
  ChatSettings settings;
};

/// Reads application/sdp, with settings in the query, or, where `forms` may come, multipart/form-data with
/// the parts `sdp` and `session`. Throws SdpError with a status and a line: 400, 415, 422.
CallRequest parse_call_request(SoupServerMessage* message, bool forms);

/// The settings that `session`, JSON of OpenAI's shape, has: numbers by the query's names at its top,
/// `instructions` as text_prompt, `audio.output.voice` as voice_prompt. Throws std::invalid_argument with one
/// line.
ChatSettings parse_session(const std::string& session);

}  // namespace serve
