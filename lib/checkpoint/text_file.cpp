// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/text_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

constexpr uintmax_t kMaxBytes = 100'000'000;
constexpr size_t kMaxQuoted = 120;
constexpr size_t kMaxPath = 500;  // A path is of little use when cut.

std::string one_line(std::string_view text, size_t limit) {
  std::string line(text.substr(0, limit));
  // Never half a UTF-8 character at the cut.
  if (text.size() > limit) {
    while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0) == 0x80) line.pop_back();
    if (!line.empty() && static_cast<unsigned char>(line.back()) >= 0xC0) line.pop_back();
    line += "...";
  }
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return line;
}

}  // namespace

std::string printable(std::string_view text) { return one_line(text, kMaxQuoted); }

std::string printable_path(const std::filesystem::path& path) { return one_line(path.native(), kMaxPath); }

bool path_exists(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool directory_exists(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

std::string read_text_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    throw Error(ErrorCode::NotFound,
                printable_path(path) + ": expected a file, found nothing; check the path");
  if (!std::filesystem::is_regular_file(status))
    throw Error(ErrorCode::WrongType,
                printable_path(path) + ": expected a regular file, found something else");
  if (std::filesystem::file_size(path, error) > kMaxBytes || error)
    throw Error(ErrorCode::WrongType,
                printable_path(path) + ": expected a file of at most 100 MB, found a larger one");
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file)
    throw Error(ErrorCode::NotFound, printable_path(path) + ": cannot be read (" + std::strerror(errno) +
                                         "); check its permissions");
  return text;
}

}  // namespace moshi::checkpoint
