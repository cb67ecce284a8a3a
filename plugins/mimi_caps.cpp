// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi_caps.h"

#include <string>

namespace gstmoshi {
namespace {

// Of MIMI_CAPS.
constexpr int max_codebooks = 32;

int frame_duration_us(const moshi::CodecInfo& codec) { return static_cast<int>(codec.frame_ns / 1000); }

[[noreturn]] void fail(const std::string& message) {
  throw moshi::Error(moshi::ErrorCode::OutOfRange, message);
}

// The part of `caps` (transfer full) that `filter` lets through.
GstCaps* filtered(GstCaps* caps, GstCaps* filter) {
  if (filter == nullptr) return caps;
  GstCaps* result = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref(caps);
  return result;
}

// A field that is not there is as the model says.
void check_field(const GstStructure* structure, const char* name, int expected) {
  gint found = expected;
  gst_structure_get_int(structure, name, &found);
  if (found == expected) return;
  fail(std::string("audio/x-mimi ") + name + " does not fit this model's codec: expected " +
       std::to_string(expected) + ", found " + std::to_string(found) + "; use the model that made the codes");
}

}  // namespace

GstCaps* mimi_caps(const moshi::CodecInfo& codec, const MimiStream& stream) {
  GstCaps* caps =
      gst_caps_new_simple("audio/x-mimi", "rate", G_TYPE_INT, codec.sample_rate, "channels", G_TYPE_INT, 1,
                          "framed", G_TYPE_BOOLEAN, TRUE, "frame-duration-us", G_TYPE_INT,
                          frame_duration_us(codec), "codebooks", G_TYPE_INT, stream.codebooks, "cardinality",
                          G_TYPE_INT, codec.cardinality, "format", G_TYPE_STRING, "u16le", nullptr);
  if (!stream.codec_id.empty()) {
    gst_caps_set_simple(caps, "codec-id", G_TYPE_STRING, stream.codec_id.c_str(), nullptr);
  }
  return caps;
}

MimiStream parse_mimi_caps(const GstCaps* caps, const moshi::CodecInfo& codec, int needed) {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  check_field(structure, "rate", codec.sample_rate);
  check_field(structure, "frame-duration-us", frame_duration_us(codec));
  check_field(structure, "cardinality", codec.cardinality);
  MimiStream stream;
  if (!gst_structure_get_int(structure, "codebooks", &stream.codebooks)) {
    fail(
        "audio/x-mimi caps without codebooks: give them in the caps filter, for example \"audio/x-mimi, "
        "codebooks=8\"");
  }
  if (stream.codebooks < needed) {
    fail("too few codebooks: expected at least " + std::to_string(needed) + ", found " +
         std::to_string(stream.codebooks) + "; set mimienc codebooks=" + std::to_string(needed));
  }
  if (const char* id = gst_structure_get_string(structure, "codec-id"); id != nullptr) stream.codec_id = id;
  return stream;
}

GstCaps* mimi_sink_caps(GstPad* pad, const moshi::CodecInfo* codec, int needed, GstCaps* filter) {
  GstCaps* all = gst_caps_make_writable(gst_pad_get_pad_template_caps(pad));
  if (codec == nullptr) return filtered(all, filter);
  GstCaps* ours = gst_caps_copy(all);
  gst_caps_set_simple(ours, "rate", G_TYPE_INT, codec->sample_rate, "frame-duration-us", G_TYPE_INT,
                      frame_duration_us(*codec), "cardinality", G_TYPE_INT, codec->cardinality, nullptr);
  if (needed < max_codebooks) {
    gst_caps_set_simple(ours, "codebooks", GST_TYPE_INT_RANGE, needed, max_codebooks, nullptr);
  } else {
    gst_caps_set_simple(ours, "codebooks", G_TYPE_INT, needed, nullptr);
  }
  if (filter == nullptr || gst_caps_can_intersect(filter, ours)) {
    gst_caps_unref(all);
    return filtered(ours, filter);
  }
  gst_caps_unref(ours);
  // Wrong in one field: the others are completed, so that the error is about that one.
  GstCaps* result = gst_caps_make_writable(filtered(all, filter));
  for (guint i = 0; i < gst_caps_get_size(result); ++i) {
    GstStructure* structure = gst_caps_get_structure(result, i);
    gst_structure_fixate_field_nearest_int(structure, "rate", codec->sample_rate);
    gst_structure_fixate_field_nearest_int(structure, "frame-duration-us", frame_duration_us(*codec));
    gst_structure_fixate_field_nearest_int(structure, "cardinality", codec->cardinality);
  }
  return result;
}

void check_codec_id(const MimiStream& stream, const moshi::CodecInfo& codec) {
  if (stream.codec_id.empty() || codec.codec_id.empty() || stream.codec_id == codec.codec_id) return;
  fail("codes of another codec: expected codec-id " + codec.codec_id + ", found " + stream.codec_id +
       "; decode them with the model that made them");
}

std::vector<uint16_t> read_codes(GstBuffer* buffer, int codebooks, int wanted, int cardinality) {
  std::vector<uint16_t> codes(static_cast<size_t>(codebooks));
  const gsize expected = codes.size() * sizeof(uint16_t);
  const gsize found = gst_buffer_get_size(buffer);
  if (found != expected) {
    fail("buffer of wrong size: expected " + std::to_string(expected) + " bytes (one frame of " +
         std::to_string(codebooks) + " codebooks), found " + std::to_string(found) +
         "; with filesrc set blocksize=" + std::to_string(expected));
  }
  gst_buffer_extract(buffer, 0, codes.data(), expected);
  codes.resize(static_cast<size_t>(wanted));
  for (auto& code : codes) {
    code = GUINT16_FROM_LE(code);
    if (code < cardinality) continue;
    fail("code out of range: expected less than the cardinality " + std::to_string(cardinality) + ", found " +
         std::to_string(code) + "; the stream is damaged or of another model");
  }
  return codes;
}

GstBuffer* write_codes(std::span<const uint16_t> codes) {
  std::vector<uint16_t> bytes(codes.begin(), codes.end());
  for (auto& code : bytes) code = GUINT16_TO_LE(code);
  return gst_buffer_new_memdup(bytes.data(), bytes.size() * sizeof(uint16_t));
}

}  // namespace gstmoshi
