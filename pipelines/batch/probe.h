// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a file says of itself, before anything is decoded.
#pragma once

#include <string>

namespace batch {

/// Seconds of sound in `path`, as its head tells; 0 where nothing can be told.
double declared_seconds(const std::string& path);

/// Throws Failure(BadFile) where the head of a WAV file promises more than the file holds.
void check_whole(const std::string& path);

}  // namespace batch
