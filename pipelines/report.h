// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the tool says: failures with exit statuses, warnings, results and progress.
#pragma once

#include <moshi/moshi.h>

#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

/// Exit statuses, as documented.
enum class Status { Done = 0, Other = 1, Usage = 2, BadFile = 3, NoDevice = 4 };

/// Ends the tool with a status and one line: expected, found, what to do.
class Failure : public std::runtime_error {
 public:
  Failure(Status status, const std::string& line) : std::runtime_error(line), status_(status) {}
  [[nodiscard]] Status status() const noexcept { return status_; }

 private:
  Status status_;
};

/// The exit status that stands for an error of the library.
Status status_of(moshi::ErrorCode code);

/// One message on stderr, line breaks removed: "gst-moshi: <line>".
void print_message(const std::string& line);

/// Prints a result as one line of JSON on stdout; bytes of file names that are no UTF-8 are replaced.
template <typename Json>
void print_result(const Json& result) {
  std::cout << result.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

/// Keeps a warning, once however often it comes. A failure tells the kept ones in its own line.
void keep_warning(const std::string& line);
/// The kept warnings, which are kept no longer.
std::vector<std::string> take_warnings();
/// Prints the kept warnings, a line each.
void print_warnings();

/// Progress on stderr, on a terminal only; silent when `quiet`. Thread-safe.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Shows `what` with the fraction done in [0, 1].
  void show(const std::string& what, double fraction);
  /// Shows `text` in its place.
  void show(const std::string& text);
  /// Takes the bar away, before other text is printed.
  void clear();

 private:
  std::mutex mutex_;
  bool enabled_;
  std::string shown_;
};

/// A library progress handler that shows `what`.
moshi::ProgressHandler progress_handler(Progress& progress, const std::string& what);
