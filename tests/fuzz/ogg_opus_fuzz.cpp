// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Any bytes that a client sends are speech, or nothing: never more of it than Opus packets can hold.
#include "serve/chat/ogg_opus.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace {

/// Pages with good checksums around packets that are cut from `bytes`: without, few would get past them.
std::vector<uint8_t> in_pages(std::span<const uint8_t> bytes) {
  ogg_stream_state stream;
  ogg_stream_init(&stream, 1);
  std::vector<uint8_t> pages;
  for (int64_t number = 0; !bytes.empty(); ++number) {
    const size_t size = std::min<size_t>(bytes[0], bytes.size() - 1);
    std::vector<uint8_t> copy(bytes.begin() + 1, bytes.begin() + 1 + static_cast<ptrdiff_t>(size));
    ogg_packet packet{};
    packet.packet = copy.data();
    packet.bytes = static_cast<long>(size);
    packet.packetno = number;
    ogg_stream_packetin(&stream, &packet);
    ogg_page page;
    while (ogg_stream_flush(&stream, &page) != 0) {
      pages.insert(pages.end(), page.header, page.header + page.header_len);
      pages.insert(pages.end(), page.body, page.body + page.body_len);
    }
    bytes = bytes.subspan(1 + size);
  }
  ogg_stream_clear(&stream);
  return pages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = 1 + data[0];
  std::vector<uint8_t> bytes(data + 2, data + size);
  if (data[1] % 2 == 1) bytes = in_pages(bytes);
  serve::OggOpusReader reader;
  std::vector<float> pcm;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    reader.read({bytes.data() + i, std::min(piece, bytes.size() - i)}, pcm);
  }
  // A packet has at least a byte and at most 120 ms.
  constexpr size_t kLongestPacket = 2880;
  if (pcm.size() > bytes.size() * kLongestPacket || reader.passed_over() > bytes.size()) std::abort();
  return 0;
}
