// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/fingerprint.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "checkpoint/sha256.h"
#include "report.h"

namespace fs = std::filesystem;

namespace batch {

std::string file_hash(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const auto check = [&] {
    if (!file.is_open() || file.bad()) {
      throw Failure(Status::BadFile,
                    path.string() + ": expected a file to read, found: " + std::strerror(errno));
    }
  };
  check();
  moshi::checkpoint::Sha256 hash;
  std::array<char, 1 << 16> piece = {};
  while (file.read(piece.data(), piece.size()) || file.gcount() > 0) {
    hash.update(std::string_view(piece.data(), static_cast<size_t>(file.gcount())));
  }
  check();
  return hash.hex();
}

std::string model_hash(const fs::path& directory) {
  std::set<std::string> facts;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    facts.insert(entry.path().lexically_relative(directory).string() + '\n' +
                 std::to_string(entry.file_size()) + '\n' +
                 std::to_string(entry.last_write_time().time_since_epoch().count()));
  }
  moshi::checkpoint::Sha256 hash;
  hash.update(directory.string());
  for (const std::string& fact : facts) hash.update('\n' + fact);
  return hash.hex();
}

}  // namespace batch
