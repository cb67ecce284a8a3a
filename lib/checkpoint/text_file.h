// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reading small files of unknown origin, and quoting from them in messages.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace moshi::checkpoint {

/// `text` on one line and at most 120 bytes long, control characters replaced: safe in a message.
std::string printable(std::string_view text);
/// The same for a path, up to 500 bytes.
std::string printable_path(const std::filesystem::path& path);

/// Whether something is at `path`, or a directory. false where that cannot be found out.
bool path_exists(const std::filesystem::path& path);
bool directory_exists(const std::filesystem::path& path);

/// The whole content of a regular file. Throws NotFound where it cannot be opened, WrongType where
/// it is no regular file or larger than 100 MB.
std::string read_text_file(const std::filesystem::path& path);

}  // namespace moshi::checkpoint
