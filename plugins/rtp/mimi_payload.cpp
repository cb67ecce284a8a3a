// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi_payload.h"

#include <bit>

namespace gstmoshi {
namespace {

constexpr unsigned version = 1;

std::vector<uint16_t> unpack_frame(const FrameFormat& format, std::span<const uint8_t> bytes) {
  std::vector<uint16_t> codes(format.codebooks);
  const unsigned bits = format.bits();
  for (unsigned at = 0; at < format.codebooks * bits; ++at) {
    const unsigned bit = (bytes[at / 8] >> (7 - at % 8)) & 1U;
    uint16_t& code = codes[at / bits];
    code = static_cast<uint16_t>(code << 1U | bit);
  }
  return codes;
}

std::string expected_found(const char* what, unsigned expected, size_t found) {
  return std::string(what) + ": expected " + std::to_string(expected) + ", found " + std::to_string(found);
}

}  // namespace

unsigned FrameFormat::bits() const { return static_cast<unsigned>(std::bit_width(cardinality - 1)); }

std::vector<uint8_t> pack_frame(const FrameFormat& format, std::span<const uint16_t> codes) {
  std::vector<uint8_t> bytes(format.bytes());
  const unsigned bits = format.bits();
  for (unsigned at = 0; at < format.codebooks * bits; ++at) {
    const unsigned bit = (codes[at / bits] >> (bits - 1 - at % bits)) & 1U;
    bytes[at / 8] = static_cast<uint8_t>(bytes[at / 8] | bit << (7 - at % 8));
  }
  return bytes;
}

std::vector<uint8_t> payload_header(unsigned redundant, unsigned fresh) {
  return {static_cast<uint8_t>(version << 4U | redundant), static_cast<uint8_t>(fresh)};
}

std::string parse_payload(const FrameFormat& format, std::span<const uint8_t> bytes, Payload& payload) {
  if (bytes.size() < rtp_header_bytes) {
    return expected_found("bytes of X-MIMI header", rtp_header_bytes, bytes.size());
  }
  if (bytes[0] >> 4U != version) return expected_found("X-MIMI version", version, bytes[0] >> 4U);
  payload.redundant = bytes[0] & 15U;
  payload.fresh = bytes[1];
  if (payload.fresh == 0) return "new frames in a packet: expected at least 1, found 0";
  const unsigned frames = payload.redundant + payload.fresh;
  const unsigned size = rtp_header_bytes + frames * format.bytes();
  if (bytes.size() != size) return expected_found("bytes of the packet", size, bytes.size());
  payload.frames.clear();
  for (unsigned i = 0; i < frames; ++i) {
    payload.frames.push_back(
        unpack_frame(format, bytes.subspan(rtp_header_bytes + i * format.bytes(), format.bytes())));
    for (const uint16_t code : payload.frames.back()) {
      if (code >= format.cardinality) return expected_found("a code below", format.cardinality, code);
    }
  }
  return {};
}

}  // namespace gstmoshi
