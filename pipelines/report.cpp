// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

namespace {

std::mutex warnings_mutex;
std::vector<std::string> kept_warnings;
std::set<std::string> known_warnings;

}  // namespace

Status status_of(moshi::ErrorCode code) {
  switch (code) {
    case moshi::ErrorCode::NotFound:
    case moshi::ErrorCode::WrongType:
    case moshi::ErrorCode::OutOfRange:
      return Status::BadFile;
    case moshi::ErrorCode::NoDevice:
      return Status::NoDevice;
    case moshi::ErrorCode::Settings:
      return Status::Usage;
    default:
      return Status::Other;
  }
}

void print_message(const std::string& line) {
  std::string text = "gst-moshi: " + line;
  std::replace(text.begin(), text.end(), '\n', ' ');
  text += '\n';
  std::fputs(text.c_str(), stderr);
}

void keep_warning(const std::string& line) {
  const std::lock_guard lock(warnings_mutex);
  if (known_warnings.insert(line).second) kept_warnings.push_back(line);
}

std::vector<std::string> take_warnings() {
  const std::lock_guard lock(warnings_mutex);
  return std::exchange(kept_warnings, {});
}

void print_warnings() {
  for (const std::string& line : take_warnings()) print_message("warning: " + line);
}

Progress::Progress(bool quiet) : enabled_(!quiet && isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { clear(); }

void Progress::show(const std::string& what, double fraction) {
  constexpr int width = 30;
  const double done = std::clamp(fraction, 0.0, 1.0);
  const auto filled = static_cast<size_t>(done * width);
  show(what + " [" + std::string(filled, '#') + std::string(width - filled, ' ') + "] " +
       std::to_string(static_cast<int>(done * 100)) + " %");
}

void Progress::show(const std::string& text) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  if (text == shown_) return;
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
  shown_ = text;
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  if (!shown_.empty()) std::fputs("\r\033[K", stderr);
  shown_.clear();
}

moshi::ProgressHandler progress_handler(Progress& progress, const std::string& what) {
  return [&progress, what](double fraction) { progress.show(what, fraction); };
}
