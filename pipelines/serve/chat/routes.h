// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "serve/server.h"

namespace serve {

/// Adds /api/chat, conversations over WebSocket, to a server that outlives its requests.
void add_chat_routes(Server& server);

}  // namespace serve
