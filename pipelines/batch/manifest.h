// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which recordings there are to do, and which of them are this process's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace batch {

/// One recording to work through.
struct Recording {
  std::string path;
  std::string id;     ///< Names its outputs; one of its own.
  uint64_t seed = 0;  ///< 0: made of --seed and the id.
  double start = 0;   ///< Seconds.
  double end = 0;     ///< Seconds; 0: to its end.
};

/// What a manifest's name and the command line give: `entries` are files, directories and patterns, the lines
/// of `manifest` (may be "") the same or JSON. Of directories those files count that are named like media
/// (`codes`: like safetensors files), but none in `output`. In the order given, names within directories
/// and patterns sorted. Throws Failure.
std::vector<Recording> list_recordings(const std::vector<std::string>& entries, const std::string& manifest,
                                       const std::filesystem::path& output, bool codes);

}  // namespace batch
