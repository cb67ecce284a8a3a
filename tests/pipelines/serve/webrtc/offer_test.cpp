// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/offer.h"

#include <gtest/gtest.h>

#include <utility>

#include "serve/webrtc/sdp_error.h"

namespace serve {
namespace {

/// As a browser writes it, shortened.
const std::string kOffer =
    "v=0\r\no=- 42 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS *\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host generation 0\r\n"
    "a=candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active\r\n"
    "a=ice-ufrag:Uf+1\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 0A:1B:2C\r\n"
    "a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
    "a=rtpmap:63 red/48000/2\r\na=rtpmap:0 PCMU/8000\r\na=ssrc:1234 cname:x\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:Uf+1\r\n"
    "a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 0A:1B:2C\r\na=setup:actpass\r\na=mid:1\r\n"
    "a=sctp-port:5000\r\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// The status and line of a refusal.
std::pair<unsigned, std::string> refusal_of(const std::string& sdp) {
  try {
    parse_offer(sdp);
  } catch (const SdpError& error) {
    return {error.status(), error.what()};
  }
  return {};
}

TEST(Offer, SaysWhatACallNeeds) {
  const Offer offer = parse_offer(kOffer);
  EXPECT_EQ(offer.ufrag, "Uf+1");
  EXPECT_EQ(offer.password, "abcdefghijklmnopqrstuvwx");
  EXPECT_EQ(offer.fingerprint, "sha-256 0A:1B:2C");
  EXPECT_EQ(offer.setup, "actpass");
  EXPECT_EQ(offer.audio.mid, "0");
  EXPECT_EQ(offer.audio.index, 0U);
  EXPECT_EQ(offer.audio.payload_type, 111);
  EXPECT_TRUE(offer.audio.hears);
  EXPECT_EQ(offer.audio.ssrc, 1234U);
  ASSERT_TRUE(offer.data_channel);
  EXPECT_EQ(offer.data_channel->mid, "1");
  EXPECT_EQ(offer.data_channel->port, 5000);
  EXPECT_EQ(offer.candidates,
            std::vector<std::string>{"candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host generation 0"});
}

TEST(Offer, IsTheSameAgainInItsOwnWords) {
  for (const std::string& text : {kOffer, replaced(kOffer, "a=sendrecv", "a=sendonly"),
                                  kOffer.substr(0, kOffer.find("m=application"))}) {
    Offer offer = parse_offer(text);
    const std::string words = to_sdp(offer);
    EXPECT_EQ(to_sdp(parse_offer(words)), words);
    EXPECT_EQ(parse_offer(words).audio.hears, offer.audio.hears);
    EXPECT_EQ(parse_offer(words).data_channel.has_value(), offer.data_channel.has_value());
  }
}

TEST(Offer, MayHaveItsDataChannelFirst) {
  const size_t audio = kOffer.find("m=audio");
  const size_t data = kOffer.find("m=application");
  const Offer offer =
      parse_offer(kOffer.substr(0, audio) + kOffer.substr(data) + kOffer.substr(audio, data - audio));
  EXPECT_EQ(offer.audio.index, 1U);
  EXPECT_LT(to_sdp(offer).find("m=application"), to_sdp(offer).find("m=audio"));
}

TEST(Offer, MaySayForTheSessionWhatHoldsForAll) {
  std::string text = replaced(kOffer, "a=ice-ufrag:Uf+1\r\n", "");
  text = replaced(text, "a=group", "a=ice-ufrag:all4\r\na=group");
  EXPECT_EQ(parse_offer(text).ufrag, "all4");
}

TEST(Offer, ThatIsNoSdpIsABadRequest) {
  EXPECT_EQ(refusal_of(""),
            std::pair(400U, std::string("expected an SDP offer, which begins with v=0, found ''")));
  EXPECT_EQ(
      refusal_of("{\"sdp\":\x01}"),
      std::pair(400U, std::string("expected an SDP offer, which begins with v=0, found '{\"sdp\":?}'")));
  EXPECT_EQ(refusal_of("v=0\r\n" + std::string(1, '\0')),
            std::pair(400U, std::string("expected an SDP offer, found a byte of 0 in it")));
}

struct Change {
  const char* from;
  const char* to;
  const char* line;
};

class ChangedOffer : public testing::TestWithParam<Change> {};

TEST_P(ChangedOffer, IsRefusedWithTheReason) {
  const std::string text = replaced(kOffer, GetParam().from, GetParam().to);
  ASSERT_NE(text, kOffer);
  EXPECT_EQ(refusal_of(text), std::pair(422U, std::string(GetParam().line)));
}

INSTANTIATE_TEST_SUITE_P(
    Each, ChangedOffer,
    testing::Values(
        Change{"m=audio", "m=video",
               "expected one m=audio and at most one data channel, found a further m=video"},
        Change{"m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 UDP/TLS/RTP/SAVPF 111",
               "expected one m=audio and at most one data channel, found a further m=audio"},
        Change{"SAVPF", "SAVP", "expected audio over UDP/TLS/RTP/SAVPF, found 'UDP/TLS/RTP/SAVP'"},
        Change{"a=rtcp-mux\r\n", "", "expected audio with a=rtcp-mux, found it without"},
        Change{"opus/48000/2", "isac/16000",
               "expected Opus (a=rtpmap:... opus/48000/2) among the audio's codecs, found none"},
        Change{"a=sendrecv", "a=recvonly",
               "expected audio that is sent, sendrecv or sendonly, found recvonly"},
        Change{"a=sendrecv", "a=inactive",
               "expected audio that is sent, sendrecv or sendonly, found inactive"},
        Change{"webrtc-datachannel", "other",
               "expected a data channel, UDP/DTLS/SCTP webrtc-datachannel, found 'UDP/DTLS/SCTP other'"},
        Change{"a=sctp-port:5000", "a=sctp-port:0",
               "expected a=sctp-port of 1 to 65535 for the data channel, found '0'"},
        Change{"a=mid:0\r\n", "", "expected a=mid of 1 to 32 characters in each m-line, found ''"},
        Change{"BUNDLE 0 1", "BUNDLE 0",
               "expected a=group:BUNDLE with the mid of each m-line, found 'BUNDLE 0'"},
        Change{"a=ice-ufrag:Uf+1", "a=ice-ufrag:U-1",
               "expected a=ice-ufrag of 4 to 256 characters, found 'U-1'"},
        Change{"a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=ice-pwd:abc",
               "expected a=ice-pwd of 22 to 256 characters, found 3"},
        Change{"sha-256 0A:1B:2C", "sha-256 0A:1B:2",
               "expected a=fingerprint, such as sha-256 AB:CD:..., found 'sha-256 0A:1B:2'"},
        Change{"a=setup:actpass", "a=setup:holdconn",
               "expected a=setup:actpass, active or passive, found 'holdconn'"}));

TEST(Offer, WithoutAudioIsRefused) {
  std::string text = kOffer;
  text.erase(text.find("m=audio"), text.find("m=application") - text.find("m=audio"));
  EXPECT_EQ(refusal_of(text), std::pair(422U, std::string("expected an m-line of audio, found none")));
}

}  // namespace
}  // namespace serve
