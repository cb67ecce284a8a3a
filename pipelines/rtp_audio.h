// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Speech over RTP, in codes (X-MIMI) or in Opus.
#pragma once

#include "pipeline.h"

struct RtpOptions {
  std::string format;      ///< "mimi" or "opus".
  int port = 5004;         ///< To receive at.
  std::string peer;        ///< To send to: HOST:PORT.
  int jitter_buffer = 60;  ///< Milliseconds.
  int redundancy = 2;      ///< Earlier frames in each packet of codes.
  [[nodiscard]] bool codes() const { return format == "mimi"; }
};

/// Adds the options of what is received and sent, but for its format and addresses; `options` must outlive
/// the parse.
void add_rtp_options(CLI::App& command, RtpOptions& options);

/// Launch descriptions, for RTP with Opus in both directions: what makes steady frames of a user's speech,
/// which comes through a jitter buffer, and what makes packets of the model's.
std::string opus_hearing(const moshi::CodecInfo& codec);
std::string opus_speech(int payload_type);

/// Fails unless `text` is HOST:PORT.
std::string check_peer(const std::string& text);

/// Adds what receives: codes, `codebooks` a frame, or speech.
GstElement* add_rtp_source(Pipeline& pipeline, const RtpOptions& options, const moshi::CodecInfo& codec,
                           int codebooks);

/// Adds what receives a user: codes, or speech in steady frames whatever the peer sends.
GstElement* add_rtp_user(Pipeline& pipeline, const RtpOptions& options, const moshi::CodecInfo& codec);

/// Adds what sends, at the peer's pace: codes or speech.
GstElement* add_rtp_sink(Pipeline& pipeline, const RtpOptions& options);
