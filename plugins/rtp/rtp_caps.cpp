// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rtp_caps.h"

#include <moshi/moshi.h>

#include <charconv>
#include <optional>

namespace gstmoshi {
namespace {

struct Parameter {
  const char* name;
  int least;
  int most;
  std::optional<int> otherwise;  // Where it may be missing.
};

constexpr Parameter codebooks{"codebooks", 1, 32, {}};
constexpr Parameter cardinality{"cardinality", 2, 65535, 2048};
constexpr Parameter redundancy{"redundancy", 0, rtp_max_redundancy, 0};
constexpr Parameter frames_per_packet{"frames-per-packet", 1, rtp_max_frames, 1};

std::optional<int> number(const char* text) {
  const std::string_view digits(text);
  int value = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value);
  if (error != std::errc() || end != digits.end()) return std::nullopt;
  return value;
}

unsigned read(const GstStructure* structure, const Parameter& parameter) {
  const char* text = gst_structure_get_string(structure, parameter.name);
  const auto value = text == nullptr ? parameter.otherwise : number(text);
  if (!value || *value < parameter.least || *value > parameter.most) {
    throw moshi::Error(moshi::ErrorCode::OutOfRange,
                       std::string("X-MIMI parameter ") + parameter.name + ": expected " +
                           std::to_string(parameter.least) + " to " + std::to_string(parameter.most) +
                           " as a string, found " + (text == nullptr ? "none" : text) +
                           "; take the caps or the SDP from the sender");
  }
  return static_cast<unsigned>(*value);
}

// What the string field of a packet's caps says, for a number in the codes' caps.
void restrict_number(const GstStructure* from, const Parameter& parameter, GstCaps* to) {
  const char* text = gst_structure_get_string(from, parameter.name);
  if (text == nullptr) return;
  if (const auto value = number(text)) gst_caps_set_simple(to, parameter.name, G_TYPE_INT, *value, nullptr);
}

}  // namespace

RtpMimi parse_codes_caps(const GstCaps* caps) {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  int books = 0;
  int card = 0;
  gst_structure_get_int(structure, codebooks.name, &books);
  gst_structure_get_int(structure, cardinality.name, &card);
  RtpMimi stream;
  stream.format = {static_cast<unsigned>(books), static_cast<unsigned>(card)};
  if (const char* id = gst_structure_get_string(structure, "codec-id"); id != nullptr) stream.codec_id = id;
  return stream;
}

GstCaps* codes_caps(const RtpMimi& stream) {
  GstCaps* caps = gst_caps_from_string(RTP_MIMI_CODES);
  gst_caps_set_simple(caps, codebooks.name, G_TYPE_INT, static_cast<int>(stream.format.codebooks),
                      cardinality.name, G_TYPE_INT, static_cast<int>(stream.format.cardinality), nullptr);
  if (!stream.codec_id.empty()) {
    gst_caps_set_simple(caps, "codec-id", G_TYPE_STRING, stream.codec_id.c_str(), nullptr);
  }
  return caps;
}

RtpMimi parse_rtp_caps(const GstCaps* caps) {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  RtpMimi stream;
  stream.format = {read(structure, codebooks), read(structure, cardinality)};
  stream.redundancy = read(structure, redundancy);
  stream.frames_per_packet = read(structure, frames_per_packet);
  if (const char* id = gst_structure_get_string(structure, "codec-id"); id != nullptr) stream.codec_id = id;
  return stream;
}

GstStructure* rtp_fields(const RtpMimi& stream) {
  GstStructure* fields = gst_structure_new_empty("fields");
  const auto set = [fields](const char* name, const std::string& value) {
    gst_structure_set(fields, name, G_TYPE_STRING, value.c_str(), nullptr);
  };
  set("encoding-params", "1");
  set(codebooks.name, std::to_string(stream.format.codebooks));
  set(cardinality.name, std::to_string(stream.format.cardinality));
  set(redundancy.name, std::to_string(stream.redundancy));
  set(frames_per_packet.name, std::to_string(stream.frames_per_packet));
  if (!stream.codec_id.empty()) set("codec-id", stream.codec_id);
  return fields;
}

GstCaps* codes_for_rtp(const GstCaps* rtp) {
  GstCaps* all = gst_caps_new_empty();
  for (guint i = 0; i < gst_caps_get_size(rtp); ++i) {
    const GstStructure* structure = gst_caps_get_structure(rtp, i);
    GstCaps* codes = gst_caps_from_string(RTP_MIMI_CODES);
    restrict_number(structure, codebooks, codes);
    restrict_number(structure, cardinality, codes);
    if (const char* id = gst_structure_get_string(structure, "codec-id"); id != nullptr) {
      gst_caps_set_simple(codes, "codec-id", G_TYPE_STRING, id, nullptr);
    }
    all = gst_caps_merge(all, codes);
  }
  return all;
}

}  // namespace gstmoshi
