// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

namespace batch {

/// A report: one line of JSON a recording, with its "id". It is also the journal: a line is on the disk
/// before anything is taken for done. A line that a kill has cut off does not count.
class Journal {
 public:
  using Line = nlohmann::ordered_json;

  /// Opens `path`, and reads what an earlier run has left. Throws Failure where another process writes it.
  explicit Journal(std::filesystem::path path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// The line of `id`; null where there is none.
  [[nodiscard]] Line find(const std::string& id) const;
  /// Adds a line, in place of an earlier one of its id. Thread-safe.
  void add(const Line& line);
  /// Writes the file anew, one line for each id.
  void tidy() const;

  /// The lines of a report, by id; none where there is no file.
  static std::map<std::string, Line> read(const std::filesystem::path& path);

 private:
  std::filesystem::path path_;
  int lock_ = -1;
  int file_ = -1;
  mutable std::mutex mutex_;
  std::map<std::string, Line> lines_;
};

}  // namespace batch
