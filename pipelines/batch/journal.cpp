// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "output_file.h"
#include "report.h"

namespace fs = std::filesystem;

namespace batch {
namespace {

std::string to_text(const Journal::Line& line) {
  return line.dump(-1, ' ', false, Journal::Line::error_handler_t::replace) + '\n';
}

Failure cannot_write(const fs::path& path) {
  return {Status::Other, path.string() + ": expected a place to write, found: " + std::strerror(errno)};
}

}  // namespace

Journal::Journal(fs::path path) : path_(std::move(path)) {
  // The report itself is replaced now and then, so the lock is beside it.
  const fs::path lock = path_.parent_path() / ('.' + path_.filename().string() + ".lock");
  lock_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0) throw cannot_write(lock);
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    close(lock_);
    throw Failure(Status::Other, path_.string() +
                                     ": expected to write it alone, found another gst-moshi batch "
                                     "at work; wait for it, or give each its --shard");
  }
  lines_ = read(path_);
  try {
    tidy();
    file_ = open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file_ < 0) throw cannot_write(path_);
  } catch (...) {
    close(lock_);
    throw;
  }
}

Journal::~Journal() {
  close(file_);
  close(lock_);
}

Journal::Line Journal::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto line = lines_.find(id);
  return line == lines_.end() ? Line() : line->second;
}

void Journal::add(const Line& line) {
  const std::string text = to_text(line);
  const std::lock_guard lock(mutex_);
  const bool written = write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || fsync(file_) != 0) throw cannot_write(path_);
  lines_[line["id"]] = line;
}

void Journal::tidy() const {
  std::string text;
  for (const auto& [id, line] : lines_) text += to_text(line);
  OutputFile file(path_);
  file.write(text);
  file.commit();
}

std::map<std::string, Journal::Line> Journal::read(const fs::path& path) {
  std::map<std::string, Line> lines;
  std::ifstream file(path);
  std::string text;
  while (std::getline(file, text)) {
    Line line = Line::parse(text, nullptr, false);
    if (!line.is_object() || !line.contains("id") || !line["id"].is_string()) continue;
    const std::string id = line["id"];
    lines[id] = std::move(line);
  }
  return lines;
}

}  // namespace batch
