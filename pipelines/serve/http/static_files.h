// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <libsoup/soup.h>

#include <filesystem>
#include <string>

namespace serve {

/// In place of a directory: nothing is served.
inline constexpr const char* kNoFiles = "none";

/// The file below `directory` that a request's path means, after links were followed; empty where it means
/// none.
std::filesystem::path file_below(const std::filesystem::path& directory, const std::string& path);

/// Answers GET and HEAD with a file below `directory` (index.html for a directory), where that is empty with
/// one of the page that is built in; with 404 where there is none. Nothing outside of it is read.
void answer_static(SoupServerMessage* message, const std::string& directory, const std::string& path);

}  // namespace serve
