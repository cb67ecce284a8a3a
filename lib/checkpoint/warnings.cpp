// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/warnings.h"

#include <cstdio>
#include <mutex>

#include "moshi/moshi.h"

namespace moshi {
namespace {

struct Warnings {
  std::mutex mutex;
  WarningHandler handler;
};

Warnings& warnings() {
  static Warnings instance;
  return instance;
}

}  // namespace

void set_warning_handler(WarningHandler handler) {
  const std::lock_guard lock(warnings().mutex);
  warnings().handler = std::move(handler);
}

void warn(const std::string& line) {
  WarningHandler handler;
  {
    const std::lock_guard lock(warnings().mutex);
    handler = warnings().handler;  // Called without the lock, so that it may warn or replace itself.
  }
  if (handler) {
    handler(line);
  } else {
    std::fprintf(stderr, "warning: %s\n", line.c_str());
  }
}

}  // namespace moshi
