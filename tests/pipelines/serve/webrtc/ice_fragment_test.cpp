// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/ice_fragment.h"

#include <gtest/gtest.h>

#include "serve/webrtc/sdp_error.h"

namespace serve {
namespace {

TEST(IceFragment, HasCandidatesAndWhoseTheyAre) {
  const IceFragment fragment = parse_ice_fragment(
      "a=ice-ufrag:Uf+1\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
      "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host\r\n"
      "a=candidate:2 1 UDP 1685987071 203.0.113.1 40000 typ srflx raddr 192.0.2.7 rport 50000\r\n"
      "a=end-of-candidates\r\n");
  EXPECT_EQ(fragment.ufrag, "Uf+1");
  EXPECT_EQ(fragment.password, "abcdefghijklmnopqrstuvwx");
  EXPECT_EQ(fragment.candidates,
            (std::vector<std::string>{
                "candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host",
                "candidate:2 1 UDP 1685987071 203.0.113.1 40000 typ srflx raddr 192.0.2.7 rport 50000"}));
}

TEST(IceFragment, LeavesOutWhatItDoesNotKnow) {
  const IceFragment fragment = parse_ice_fragment(
      "a=new-attribute\na=candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active\n"
      "a=candidate:1 1 udp 1 192.0.2.7 9 typ future\na=candidate:1 1 udp x 192.0.2.7 9 typ host\n"
      "a=candidate:1 1 udp 1 192.0.2.7 70000 typ host\na=candidate:\n");
  EXPECT_TRUE(fragment.candidates.empty());
  EXPECT_TRUE(fragment.ufrag.empty());
}

TEST(IceFragment, OfOtherTextIsABadRequest) {
  for (const std::string text : {"candidate:1 1 udp", "{}", "a=mid:0\n\x01=x"}) {
    try {
      parse_ice_fragment(text);
      ADD_FAILURE() << text;
    } catch (const SdpError& error) {
      EXPECT_EQ(error.status(), 400U);
      EXPECT_EQ(std::string(error.what())
                    .find("expected lines of an SDP fragment, such as a=candidate:..., found '"),
                0U);
    }
  }
}

}  // namespace
}  // namespace serve
