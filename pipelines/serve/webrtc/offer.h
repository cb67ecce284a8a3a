// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The offer of a client that wants a call: Opus there and, if it likes, back, and a data channel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace serve {

struct Offer {
  std::string ufrag;
  std::string password;
  std::string fingerprint;  ///< "sha-256 AB:CD:..."
  std::string setup;        ///< actpass, active or passive.
  struct Audio {
    std::string mid;
    size_t index = 0;              ///< Of its m-line.
    int payload_type = 0;          ///< Opus.
    bool hears = false;            ///< sendrecv; else it only sends.
    std::optional<uint32_t> ssrc;  ///< It sends with.
  } audio;
  struct DataChannel {
    std::string mid;
    int port = 5000;  ///< Of SCTP.
  };
  std::optional<DataChannel> data_channel;  ///< Its m-line is the one that is not the audio's.
  std::vector<std::string> candidates;      ///< "candidate:..."
};

/// Reads an offer. Throws SdpError: 400 where it is no SDP, 422 where it is one that cannot be answered
/// whole.
Offer parse_offer(const std::string& sdp);

/// The offer as SDP that says just this, without its candidates: nothing else of what a client sent goes on.
std::string to_sdp(const Offer& offer);

}  // namespace serve
