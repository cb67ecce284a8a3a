// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The payload of X-MIMI, described in docs/rtp.md: two bytes of header, then frames of packed codes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gstmoshi {

/// What X-MIMI fixes: 24 kHz, 80 ms a frame.
inline constexpr unsigned rtp_clock_rate = 24000;
inline constexpr unsigned rtp_frame_ticks = 1920;
inline constexpr uint64_t rtp_frame_ns = 80'000'000;

inline constexpr unsigned rtp_header_bytes = 2;
inline constexpr unsigned rtp_max_redundancy = 15;
inline constexpr unsigned rtp_max_frames = 255;

/// How the codes of a frame lie in a packet: each in as few bits as the cardinality needs, the most
/// significant first; a frame begins at a byte.
struct FrameFormat {
  unsigned codebooks = 0;
  unsigned cardinality = 0;

  [[nodiscard]] unsigned bits() const;
  [[nodiscard]] unsigned bytes() const { return (codebooks * bits() + 7) / 8; }
};

/// The frames of a packet, the oldest first: those sent before, then the new ones.
struct Payload {
  unsigned redundant = 0;
  unsigned fresh = 0;
  std::vector<std::vector<uint16_t>> frames;
};

std::vector<uint8_t> pack_frame(const FrameFormat& format, std::span<const uint16_t> codes);

/// The header of a packet.
std::vector<uint8_t> payload_header(unsigned redundant, unsigned fresh);

/// Reads a packet. Returns what is wrong with it (expected, found), or nothing.
std::string parse_payload(const FrameFormat& format, std::span<const uint8_t> bytes, Payload& payload);

}  // namespace gstmoshi
