// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A stand-in for the library behind moshi/moshi.h, so that the elements' tests need no model: its codes
// follow simple rules, and a test decides what fails, what blocks and how many slots there are.
//
// Encoder: code 0 = round((first sample + 1) * 1000), code 1 = min(frames since the start, 3), code k = k.
// Decoder: every sample = code 0 / 1000 - 1. Language model: code k of the answer = code k of the input + 1.
#pragma once

#include <moshi/moshi.h>

#include <optional>
#include <string>
#include <vector>

namespace fake {

/// What can be made to fail.
enum class Call { Acquire, LoadCodec, LoadLm, OpenEncoder, OpenDecoder, OpenLm, Step };

/// What a test can change; reset() restores the defaults.
struct Settings {
  moshi::CodecInfo codec;
  moshi::LmInfo lm;
  std::vector<int32_t> text;  ///< Text tokens of the output frames; padding after the last.
  int slots = 1000;           ///< Of each kind.
  bool keep_codes = true;     ///< In the log.
  /// What stats() of a context says; the times are 0 until measure_frame().
  moshi::ContextStats context;
  moshi::SessionStats steps;  ///< What stats() of a session says, but for the frames.
};

/// What the engine has been asked to do since reset().
struct Log {
  int contexts = 0;     ///< Created.
  int codec_loads = 0;  ///< Done.
  int lm_loads = 0;
  int measures = 0;
  int sessions = 0;  ///< Open now.
  int resets = 0;    ///< Of all sessions.
  moshi::ContextOptions options;
  moshi::LmOptions lm_options;
  moshi::LmSessionOptions session_options;
  std::vector<std::vector<uint16_t>> lm_codes;       ///< Submitted to language models.
  std::vector<std::vector<uint16_t>> decoder_codes;  ///< Submitted to decoders.
};

/// Change them only while no element works.
Settings& settings();
Log log();
void reset();

/// The call throws: at once, or, for Step, in the await of the session's frame `frame`.
void fail(Call call, moshi::ErrorCode code, const std::string& message, int frame = 0);
/// The call throws something that is not a moshi::Error, or std::bad_alloc.
void fail_badly(Call call);
void fail_without_memory(Call call);
/// Loads and steps wait, until called with false or cancelled.
void block(bool on);
/// The same for steps of language models only.
void block_lm(bool on);
/// Waits until a load or a step is blocked.
void wait_until_blocked();
bool is_blocked();

}  // namespace fake
