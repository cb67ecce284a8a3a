// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <mutex>
#include <stop_token>

#include "moshi/moshi.h"

namespace moshi {

struct Cancellation::Impl {
  mutable std::mutex mutex;
  std::stop_source source;

  [[nodiscard]] std::stop_token token() const {
    const std::lock_guard lock(mutex);
    return source.get_token();
  }
};

namespace runtime {

/// The token a wait listens to; one that never stops where there is no cancellation.
inline std::stop_token token_of(const Cancellation* cancel) {
  return cancel == nullptr ? std::stop_token() : cancel->impl().token();
}

/// What a cancelled wait throws.
[[noreturn]] inline void throw_cancelled() { throw Error(ErrorCode::Cancelled, "cancelled"); }

}  // namespace runtime
}  // namespace moshi
