// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Whether something is what it was: SHA-256, 64 hex digits.
#pragma once

#include <filesystem>
#include <string>

namespace batch {

/// Of a file's bytes; throws Failure(BadFile) where it cannot be read.
std::string file_hash(const std::filesystem::path& path);

/// Of the names, sizes and times of change of a model's files: reading all of them would take longer than
/// many a manifest.
std::string model_hash(const std::filesystem::path& directory);

}  // namespace batch
