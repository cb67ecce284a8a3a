// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "report.h"

namespace fs = std::filesystem;

namespace {

/// Waits until a file or directory is on its disk; file systems that cannot say so are believed.
bool sync(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool synced = fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP;
  close(file);
  return synced;
}

}  // namespace

OutputFile::OutputFile(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (fs::is_directory(path_, ignored)) {
    throw Failure(Status::Other, path_.string() + ": expected a file to write, found a directory");
  }
  temporary_ = path_;
  temporary_ += ".part-" + std::to_string(getpid());
  if (!std::ofstream(temporary_)) {
    throw Failure(Status::Other, path_.string() + ": expected a place to write, found: " +
                                     std::strerror(errno) + "; name another file");
  }
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove(temporary_, ignored);
}

void OutputFile::write(const std::string& text) const {
  std::ofstream file(temporary_);
  file << text;
  if (!file.flush()) throw Failure(Status::Other, path_.string() + ": expected space to write, found none");
}

void OutputFile::commit() {
  // A name must never stand for less than the whole, even when the machine stops now.
  if (!sync(temporary_)) {
    throw Failure(Status::Other,
                  path_.string() + ": expected a place to write, found: " + std::strerror(errno));
  }
  std::error_code error;
  fs::rename(temporary_, path_, error);
  if (error)
    throw Failure(Status::Other, path_.string() + ": expected a place to write, found: " + error.message());
  temporary_.clear();
  sync(fs::absolute(path_).parent_path());
}
