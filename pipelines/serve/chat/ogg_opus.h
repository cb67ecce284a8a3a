// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Mono speech at 24 kHz as an Ogg stream of Opus packets (RFC 7845), piece by piece.
#pragma once

#include <ogg/ogg.h>
#include <opus/opus.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace serve {

struct OpusDeleter {
  void operator()(OpusDecoder* decoder) const { opus_decoder_destroy(decoder); }
  void operator()(OpusEncoder* encoder) const { opus_encoder_destroy(encoder); }
};

/// Reads what any client sends: pages may be split anywhere, packets may span pages, serial numbers may
/// change, headers may come at any place or not at all. What is no Ogg, or no Opus, is passed over.
class OggOpusReader {
 public:
  OggOpusReader();
  ~OggOpusReader();
  OggOpusReader(const OggOpusReader&) = delete;
  OggOpusReader& operator=(const OggOpusReader&) = delete;

  /// Takes the next bytes; appends the samples they complete, 24000 a second, to `pcm`, up to a minute: few
  /// bytes may stand for hours, and what is beyond is passed over.
  void read(std::span<const uint8_t> bytes, std::vector<float>& pcm);
  /// Bytes since the last page that was one.
  [[nodiscard]] size_t passed_over() const { return passed_over_; }

 private:
  void read_page(ogg_page& page, std::vector<float>& pcm);
  void decode(const ogg_packet& packet, std::vector<float>& pcm);

  ogg_sync_state sync_{};
  ogg_stream_state stream_{};
  bool begun_ = false;
  size_t passed_over_ = 0;
  std::unique_ptr<OpusDecoder, OpusDeleter> decoder_;
};

/// Writes a packet of 40 ms a page, as the reference's server does. Pages are whole: each call's bytes begin
/// and end one.
class OggOpusWriter {
 public:
  explicit OggOpusWriter(int serial);
  ~OggOpusWriter();
  OggOpusWriter(const OggOpusWriter&) = delete;
  OggOpusWriter& operator=(const OggOpusWriter&) = delete;

  /// Appends the pages of the next samples (24000 a second; those that fill no packet wait) to `bytes`, the
  /// first time with the two header pages in front.
  void write(std::span<const float> pcm, std::vector<uint8_t>& bytes);

 private:
  void write_headers(std::vector<uint8_t>& bytes);
  /// Appends a packet in a page of its own.
  void write_packet(std::vector<uint8_t>& packet, int64_t granule, std::vector<uint8_t>& bytes);

  ogg_stream_state stream_{};
  std::unique_ptr<OpusEncoder, OpusDeleter> encoder_;
  std::vector<float> waiting_;
  int64_t packets_ = 0;  ///< Headers included.
  int64_t granule_ = 0;  ///< Samples at 48 kHz.
};

}  // namespace serve
