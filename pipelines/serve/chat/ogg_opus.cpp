// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/ogg_opus.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace serve {
namespace {

constexpr int kRate = 24000;
constexpr int kLongestPacket = kRate * 120 / 1000;
constexpr size_t kMostSamples = size_t{kRate} * 60;
constexpr int kPacket = kRate * 40 / 1000;
/// What Ogg counts time in, whatever the codec's rate (RFC 7845, section 4).
constexpr int kGranuleRate = 48000;
/// More than an Opus packet of one frame can have (RFC 6716, section 3.4).
constexpr int kMostPacketBytes = 1275;

bool begins_with(const ogg_packet& packet, std::string_view magic) {
  return packet.bytes >= static_cast<long>(magic.size()) &&
         std::memcmp(packet.packet, magic.data(), magic.size()) == 0;
}

void append(std::vector<uint8_t>& bytes, std::string_view text) {
  bytes.insert(bytes.end(), text.begin(), text.end());
}

void append_little_endian(std::vector<uint8_t>& bytes, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

}  // namespace

// -------------------------------------------------------------------------------------------- reading

OggOpusReader::OggOpusReader() : decoder_(opus_decoder_create(kRate, 1, nullptr)) { ogg_sync_init(&sync_); }

OggOpusReader::~OggOpusReader() {
  if (begun_) ogg_stream_clear(&stream_);
  ogg_sync_clear(&sync_);
}

void OggOpusReader::read(std::span<const uint8_t> bytes, std::vector<float>& pcm) {
  char* room = ogg_sync_buffer(&sync_, static_cast<long>(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), room);
  ogg_sync_wrote(&sync_, static_cast<long>(bytes.size()));
  passed_over_ += bytes.size();
  ogg_page page;
  while (true) {
    // Negative: bytes that were no page; 0: more are needed.
    const long size = ogg_sync_pageseek(&sync_, &page);
    if (size == 0) return;
    if (size < 0) continue;
    passed_over_ = 0;
    read_page(page, pcm);
  }
}

void OggOpusReader::read_page(ogg_page& page, std::vector<float>& pcm) {
  const int serial = ogg_page_serialno(&page);
  if (!begun_) {
    ogg_stream_init(&stream_, serial);
    begun_ = true;
  } else if (serial != stream_.serialno) {
    ogg_stream_reset_serialno(&stream_, serial);
  }
  if (ogg_stream_pagein(&stream_, &page) != 0) return;
  ogg_packet packet;
  while (true) {
    const int found = ogg_stream_packetout(&stream_, &packet);
    if (found == 0) return;
    if (found > 0) decode(packet, pcm);  // Else a page is missing: what follows is there all the same.
  }
}

void OggOpusReader::decode(const ogg_packet& packet, std::vector<float>& pcm) {
  if (pcm.size() >= kMostSamples) return;
  if (begins_with(packet, "OpusHead") || begins_with(packet, "OpusTags")) return;
  std::array<float, kLongestPacket> samples;
  const int count = opus_decode_float(decoder_.get(), packet.packet, static_cast<opus_int32>(packet.bytes),
                                      samples.data(), kLongestPacket, 0);
  if (count > 0) pcm.insert(pcm.end(), samples.begin(), samples.begin() + count);
}

// -------------------------------------------------------------------------------------------- writing

OggOpusWriter::OggOpusWriter(int serial)
    : encoder_(opus_encoder_create(kRate, 1, OPUS_APPLICATION_VOIP, nullptr)) {
  ogg_stream_init(&stream_, serial);
}

OggOpusWriter::~OggOpusWriter() { ogg_stream_clear(&stream_); }

void OggOpusWriter::write(std::span<const float> pcm, std::vector<uint8_t>& bytes) {
  if (packets_ == 0) write_headers(bytes);
  waiting_.insert(waiting_.end(), pcm.begin(), pcm.end());
  size_t taken = 0;
  for (; waiting_.size() - taken >= kPacket; taken += kPacket) {
    std::vector<uint8_t> packet(kMostPacketBytes);
    const int size = opus_encode_float(encoder_.get(), waiting_.data() + taken, kPacket, packet.data(),
                                       static_cast<opus_int32>(packet.size()));
    packet.resize(static_cast<size_t>(std::max(size, 0)));
    granule_ += int64_t{kPacket} * kGranuleRate / kRate;
    write_packet(packet, granule_, bytes);
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(taken));
}

void OggOpusWriter::write_headers(std::vector<uint8_t>& bytes) {
  opus_int32 lookahead = 0;
  opus_encoder_ctl(encoder_.get(), OPUS_GET_LOOKAHEAD(&lookahead));
  // RFC 7845, section 5.1: version, channels, pre-skip, input's rate, gain, mapping family.
  std::vector<uint8_t> head;
  append(head, "OpusHead");
  head.push_back(1);
  head.push_back(1);
  append_little_endian(head, static_cast<uint32_t>(lookahead * (kGranuleRate / kRate)), 2);
  append_little_endian(head, kRate, 4);
  append_little_endian(head, 0, 2);
  head.push_back(0);
  write_packet(head, 0, bytes);
  constexpr std::string_view kVendor = "gst-moshi";
  std::vector<uint8_t> tags;
  append(tags, "OpusTags");
  append_little_endian(tags, kVendor.size(), 4);
  append(tags, kVendor);
  append_little_endian(tags, 0, 4);
  write_packet(tags, 0, bytes);
}

void OggOpusWriter::write_packet(std::vector<uint8_t>& packet, int64_t granule, std::vector<uint8_t>& bytes) {
  ogg_packet wrapped{};
  wrapped.packet = packet.data();
  wrapped.bytes = static_cast<long>(packet.size());
  wrapped.b_o_s = packets_ == 0 ? 1 : 0;
  wrapped.granulepos = granule;
  wrapped.packetno = packets_++;
  ogg_stream_packetin(&stream_, &wrapped);
  ogg_page page;
  while (ogg_stream_flush(&stream_, &page) != 0) {
    bytes.insert(bytes.end(), page.header, page.header + page.header_len);
    bytes.insert(bytes.end(), page.body, page.body + page.body_len);
  }
}

}  // namespace serve
