// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "serve/webrtc/options.h"

namespace serve {

/// Fails, with a line, unless `text` is "stun://HOST:PORT" or, with user and password, "turn://..." or
/// "turns://...".
std::string check_stun(const std::string& text);
std::string check_turn(const std::string& text);

/// What tells a client of the servers that help both sides to find a way to each other: values of WHIP's
/// header Link.
std::vector<std::string> links_of(const WebrtcOptions& options);

}  // namespace serve
