// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/keys.h"

#include <glib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "report.h"

namespace serve {
namespace {

/// Shorter ones can be guessed.
constexpr size_t kShortestKey = 16;

bool is_visible(char letter) { return letter > ' ' && letter <= '~'; }

}  // namespace

Keys::Keys(const std::string& file) {
  std::ifstream lines(file);
  if (!lines)
    throw Failure(Status::BadFile, "--keys " + file + ": expected a file, found: " + std::strerror(errno));
  std::string key;
  for (int line = 1; std::getline(lines, key); ++line) {
    if (!key.empty() && key.back() == '\r') key.pop_back();
    if (key.empty() || key.front() == '#') continue;
    if (key.size() < kShortestKey || !std::all_of(key.begin(), key.end(), is_visible)) {
      throw Failure(Status::BadFile, file + ", line " + std::to_string(line) + ": expected a key of " +
                                         std::to_string(kShortestKey) +
                                         " or more letters of ASCII without spaces, found another; make one "
                                         "with: openssl rand -hex 16");
    }
    entries_.push_back({line, digest_of(key)});
  }
  if (entries_.empty())
    throw Failure(Status::BadFile, "--keys " + file + ": expected a key a line, found none");
}

std::optional<int> Keys::line_of(const std::string& key) const {
  const Digest digest = digest_of(key);
  std::optional<int> line;
  for (const Entry& entry : entries_) {
    unsigned difference = 0;
    for (size_t i = 0; i < digest.size(); ++i) difference |= digest[i] ^ entry.digest[i];
    if (difference == 0) line = entry.line;
  }
  return line;
}

Keys::Digest Keys::digest_of(const std::string& key) {
  Digest digest{};
  gsize size = digest.size();
  GChecksum* sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(sum, reinterpret_cast<const guchar*>(key.data()), static_cast<gssize>(key.size()));
  g_checksum_get_digest(sum, digest.data(), &size);
  g_checksum_free(sum);
  return digest;
}

}  // namespace serve
