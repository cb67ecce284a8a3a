// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/rate.h"

#include <algorithm>
#include <cmath>

namespace serve {
namespace {

/// Callers remembered; one more, and all are forgotten: nobody fills the memory.
constexpr size_t kMostCallers = 10000;

}  // namespace

bool TokenBucket::take(double tokens, double now) {
  tokens_ = std::min(size_, tokens_ + (now - last_) * per_second_);
  last_ = now;
  if (tokens_ < tokens) return false;
  tokens_ -= tokens;
  return true;
}

int RateLimit::take(const std::string& caller, double now) {
  if (per_minute_ == 0) return 0;
  if (callers_.size() >= kMostCallers && !callers_.contains(caller)) callers_.clear();
  TokenBucket& bucket = callers_.try_emplace(caller, per_minute_, per_minute_ / 60.0).first->second;
  return bucket.take(1, now) ? 0 : std::max(1, static_cast<int>(std::ceil(bucket.wait(1))));
}

}  // namespace serve
