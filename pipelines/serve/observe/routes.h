// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "serve/server.h"

namespace serve {

/// Adds /livez, /readyz, /api/status and /api/build_info to `http`: what anybody may know of `server`.
void add_status_routes(SoupServer* http, Server& server);

/// Adds /metrics: what its operators may.
void add_metrics_route(SoupServer* http, Server& server);

}  // namespace serve
