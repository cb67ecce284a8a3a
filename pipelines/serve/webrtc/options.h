// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace serve {

struct WebrtcOptions {
  std::string node;               ///< This server's name in the addresses of calls, empty: none.
  std::string stun;               ///< "stun://HOST:PORT", empty: none.
  std::vector<std::string> turn;  ///< "turn://USER:PASSWORD@HOST:PORT", or turns.
  std::string ports;              ///< "FIRST-LAST" of UDP for the media, empty: any.
  int rtp_idle_seconds = 8;       ///< Without RTP a client is taken for gone.
};

/// First and last of "FIRST-LAST", 0 where the text is no range of ports.
std::pair<unsigned, unsigned> port_range(const std::string& text);

/// Adds the options of calls over WebRTC; `options` must outlive the parse.
void add_webrtc_options(CLI::App& command, WebrtcOptions& options);

}  // namespace serve
