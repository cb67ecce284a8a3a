// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Audio files at both ends of a pipeline.
#pragma once

#include <string>

#include "pipeline.h"

/// Adds a bin that decodes `path`, whatever GStreamer reads, to the first channel as F32 at `rate`
/// Hz, gaps filled. `prefix_seconds` of silence come first. Throws Failure(BadFile) for a file that
/// is missing, empty or a directory.
GstElement* add_audio_source(Pipeline& pipeline, const std::string& path, int rate,
                             double prefix_seconds = 0);

/// Adds a bin that writes a WAV file to `path`; `format` is "S16LE" (saturating) or "F32LE". Errors
/// name `shown_path`.
GstElement* add_wav_sink(Pipeline& pipeline, const std::string& path, const std::string& shown_path,
                         const std::string& format);
