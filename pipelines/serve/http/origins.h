// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which pages may call this server: browsers tell where a page is from in `Origin`.
#pragma once

#include <string>
#include <vector>

namespace serve {

class Origins {
 public:
  /// `allowed`: "https://app.example:8443" or "*" for all. Throws Failure where one is neither.
  explicit Origins(std::vector<std::string> allowed);

  /// Whether a page of `origin` may hold conversations here. Programs send none, this server's own pages one
  /// with the `host` of their request; without a list all may, as with moshi.server.
  [[nodiscard]] bool permits(const std::string& origin, const std::string& host) const;
  /// Whether a page of `origin` may read answers (CORS).
  [[nodiscard]] bool lists(const std::string& origin) const;

 private:
  std::vector<std::string> allowed_;
  bool all_ = false;
};

}  // namespace serve
