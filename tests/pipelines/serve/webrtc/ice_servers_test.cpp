// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/ice_servers.h"

#include <gtest/gtest.h>

namespace serve {
namespace {

TEST(IceServers, AreToldToClientsInLinks) {
  WebrtcOptions options;
  EXPECT_TRUE(links_of(options).empty());
  options.stun = "stun://stun.example:3478";
  options.turn = {"turn://user:pa%22ss@turn.example:3478?transport=udp", "turns://u:p@[2001:db8::1]:5349"};
  EXPECT_EQ(links_of(options),
            (std::vector<std::string>{
                "<stun:stun.example:3478>; rel=\"ice-server\"",
                "<turn:turn.example:3478?transport=udp>; rel=\"ice-server\"; username=\"user\"; "
                "credential=\"pa\\\"ss\"; credential-type=\"password\"",
                "<turns:[2001:db8::1]:5349>; rel=\"ice-server\"; username=\"u\"; credential=\"p\"; "
                "credential-type=\"password\""}));
}

TEST(IceServers, AreNamedAsGStreamerNamesThem) {
  EXPECT_EQ(check_stun("stun://host:3478"), "");
  EXPECT_EQ(check_stun("stun:host:3478"), "expected stun://HOST:PORT, found 'stun:host:3478'");
  EXPECT_EQ(check_turn("turns://user:password@host:5349"), "");
  for (const char* text : {"turn://host:3478", "turn://user:password@host", "http://user:password@host:1"}) {
    // Not what was found: it may hold a password.
    EXPECT_EQ(check_turn(text),
              "expected turn://USER:PASSWORD@HOST:PORT (or turns://...), found something else");
  }
}

TEST(RtpPorts, AreARange) {
  EXPECT_EQ(port_range("50000-50999"), std::pair(50000U, 50999U));
  for (const char* text : {"", "5", "0-5", "6-5", "1-65536", "1-2-3", "-5"}) {
    EXPECT_EQ(port_range(text), std::pair(0U, 0U)) << text;
  }
}

}  // namespace
}  // namespace serve
