// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <filesystem>
#include <string>

/// A file that appears complete or not at all: written under another name beside its place, and
/// renamed by commit(). Without commit() nothing is left.
class OutputFile {
 public:
  /// Throws Failure when `path` cannot be written.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  /// Where to write until commit().
  [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }
  /// Writes the whole text, not yet under its name. Throws Failure where there is no space.
  void write(const std::string& text) const;
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
};
