// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// How much is too much at a time.
#pragma once

#include <map>
#include <string>

namespace serve {

/// A bucket of tokens, full at first, that fills again by and by.
class TokenBucket {
 public:
  TokenBucket(double size, double per_second) : size_(size), per_second_(per_second), tokens_(size) {}

  /// Takes some at a time in seconds that never goes back; false, and none are taken, where there are too
  /// few.
  bool take(double tokens, double now);
  /// Seconds until `tokens` are there again.
  [[nodiscard]] double wait(double tokens) const { return (tokens - tokens_) / per_second_; }

 private:
  double size_;
  double per_second_;
  double tokens_;
  double last_ = 0;
};

/// So many requests a minute, of each caller.
class RateLimit {
 public:
  /// `per_minute` 0: any number.
  explicit RateLimit(int per_minute) : per_minute_(per_minute) {}

  /// 0, or the seconds after which `caller` may ask again.
  int take(const std::string& caller, double now);

 private:
  int per_minute_;
  std::map<std::string, TokenBucket> callers_;
};

}  // namespace serve
