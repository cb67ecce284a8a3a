// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What caps and SDP say of an X-MIMI stream.
#pragma once

#include <gst/gst.h>

#include <string>

#include "mimi_payload.h"

namespace gstmoshi {

/// Codes that X-MIMI can carry.
#define RTP_MIMI_CODES                                                                 \
  "audio/x-mimi, rate = (int) 24000, channels = (int) 1, framed = (boolean) true, "    \
  "frame-duration-us = (int) 80000, codebooks = (int) [ 1, 32 ], cardinality = (int) " \
  "[ 2, 65535 ], format = (string) u16le"

/// The parameters of an X-MIMI stream; in SDP they are an fmtp line.
struct RtpMimi {
  FrameFormat format;
  std::string codec_id;            ///< Empty where unknown.
  unsigned redundancy = 0;         ///< Earlier frames a packet may repeat.
  unsigned frames_per_packet = 1;  ///< New frames a packet may hold.
};

/// Reads fixed caps of codes.
RtpMimi parse_codes_caps(const GstCaps* caps);
/// Caps of the stream's codes (transfer full).
GstCaps* codes_caps(const RtpMimi& stream);

/// Reads the fmtp parameters in caps of packets. Throws OutOfRange: which one, expected, found.
RtpMimi parse_rtp_caps(const GstCaps* caps);
/// The fmtp parameters as a caps structure's fields, which are strings (transfer full).
GstStructure* rtp_fields(const RtpMimi& stream);

/// What codes a payloader may be given so that it can send `rtp` caps (transfer full).
GstCaps* codes_for_rtp(const GstCaps* rtp);

}  // namespace gstmoshi
