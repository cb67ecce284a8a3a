// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/options.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "serve/webrtc/ice_servers.h"

namespace serve {
namespace {

std::string check_node(const std::string& text) {
  const auto fits = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
  };
  const bool good = !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), fits);
  return good ? "" : "expected a name of letters, digits, - and ., found '" + text + "'";
}

std::string check_ports(const std::string& text) {
  const auto [first, last] = port_range(text);
  return first > 0 ? "" : "expected FIRST-LAST, such as 50000-50999, found '" + text + "'";
}

}  // namespace

std::pair<unsigned, unsigned> port_range(const std::string& text) {
  unsigned first = 0;
  unsigned last = 0;
  const char* end = text.data() + text.size();
  const auto dash = std::from_chars(text.data(), end, first);
  if (dash.ec != std::errc() || dash.ptr == end || *dash.ptr != '-') return {};
  const auto rest = std::from_chars(dash.ptr + 1, end, last);
  if (rest.ec != std::errc() || rest.ptr != end || first == 0 || last < first || last > 65535) return {};
  return {first, last};
}

void add_webrtc_options(CLI::App& command, WebrtcOptions& options) {
  command
      .add_option("--node", options.node,
                  "WebRTC: this server's name in the addresses of calls, for balancers to find it again")
      ->type_name("NAME")
      ->check(check_node);
  command.add_option("--stun", options.stun, "WebRTC: a server that tells both sides their public addresses")
      ->type_name("URI")
      ->check(check_stun);
  command
      .add_option("--turn", options.turn,
                  "WebRTC: a server that relays where there is no other way; may be given several times")
      ->type_name("URI")
      ->check(check_turn);
  command.add_option("--rtp-ports", options.ports, "WebRTC: UDP ports for the media (default: any)")
      ->type_name("FIRST-LAST")
      ->check(check_ports);
  command
      .add_option("--rtp-idle-seconds", options.rtp_idle_seconds,
                  "WebRTC: seconds without speech or silence of a client after which it is taken for gone")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
}

}  // namespace serve
