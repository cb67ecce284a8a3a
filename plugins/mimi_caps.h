// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// audio/x-mimi: one frame of codes a buffer, `codebooks` little-endian uint16 values in codebook order.
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gstmoshi {

/// The caps of the pad templates; rate and frame duration come from the model's codec.
#define MIMI_CAPS                                                                        \
  "audio/x-mimi, rate = (int) [ 1, MAX ], channels = (int) 1, framed = (boolean) true, " \
  "frame-duration-us = (int) [ 1, MAX ], codebooks = (int) [ 1, 32 ], "                  \
  "cardinality = (int) [ 2, 65535 ], format = (string) u16le"

/// What fixed caps say beyond the codec's own numbers.
struct MimiStream {
  int codebooks = 0;
  std::string codec_id;  ///< Empty where the caps have none.
};

/// Caps of a stream of this codec (transfer full).
GstCaps* mimi_caps(const moshi::CodecInfo& codec, const MimiStream& stream);

/// Checks fixed caps of a stream against the codec; all fields but `codebooks` may be missing. Throws
/// OutOfRange naming the field, what was expected and what was found. `needed`: least codebooks the element
/// takes.
MimiStream parse_mimi_caps(const GstCaps* caps, const moshi::CodecInfo& codec, int needed);

/// Answers a sink pad's caps query: what the codec takes, with at least `needed` codebooks. To a question
/// that excludes it the answer is what the template allows, so that the caps themselves get the clear error
/// of parse_mimi_caps(). Transfer full; `codec` is null before the model is known.
GstCaps* mimi_sink_caps(GstPad* pad, const moshi::CodecInfo* codec, int needed, GstCaps* filter);

/// Refuses codes of other weights, where both sides have an id (the codec's is known once it is loaded).
void check_codec_id(const MimiStream& stream, const moshi::CodecInfo& codec);

/// The first `wanted` codes of a buffer that must hold `codebooks`. Throws OutOfRange for a wrong size or
/// a code not below `cardinality`.
std::vector<uint16_t> read_codes(GstBuffer* buffer, int codebooks, int wanted, int cardinality);

/// A buffer of these codes (transfer full).
GstBuffer* write_codes(std::span<const uint16_t> codes);

}  // namespace gstmoshi
