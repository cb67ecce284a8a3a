// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Words with times as the files that players show.
#pragma once

#include <moshi/moshi.h>

#include <string>
#include <vector>

namespace batch {

/// WebVTT, a few words a cue.
std::string to_vtt(const std::vector<moshi::Word>& words);
/// SubRip, likewise.
std::string to_srt(const std::vector<moshi::Word>& words);

}  // namespace batch
