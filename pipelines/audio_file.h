// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Audio files at both ends of a pipeline.
#pragma once

#include <string>

#include "pipeline.h"

/// What is taken of a recording; times in seconds.
struct AudioPart {
  double silence = 0;  ///< Comes first.
  double start = 0;
  double end = 0;   ///< 0: the recording's own.
  int channel = 1;  ///< The first is 1.
};

/// Adds a bin that decodes `part` of `path`, whatever GStreamer reads, to one channel of F32 at `rate` Hz,
/// gaps filled. Throws Failure(BadFile) for a file that is missing, empty or a directory.
GstElement* add_audio_source(Pipeline& pipeline, const std::string& path, int rate,
                             const AudioPart& part = {});

/// Adds a bin that writes a WAV file to `path`; `format` is "S16LE" (saturating) or "F32LE". Errors
/// name `shown_path`.
GstElement* add_wav_sink(Pipeline& pipeline, const std::string& path, const std::string& shown_path,
                         const std::string& format);
