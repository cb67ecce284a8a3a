// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "serve/server.h"

namespace serve {

/// Adds calls over WebRTC to a server that outlives its requests: /whip as WHIP (RFC 9725) has them, and
/// /v1/realtime/calls as OpenAI's clients ask for them. GStreamer's webrtcbin is made ready.
void add_webrtc_routes(Server& server);

}  // namespace serve
