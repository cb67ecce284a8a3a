// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/origins.h"

#include <algorithm>
#include <regex>

#include "report.h"

namespace serve {

Origins::Origins(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {
  static const std::regex form("[a-z][a-z0-9+.-]*://[^/\\s]+");
  for (const std::string& origin : allowed_) {
    if (origin == "*") {
      all_ = true;
    } else if (!std::regex_match(origin, form)) {
      throw Failure(
          Status::Usage,
          "--origin " + origin +
              ": expected where pages are from, as https://app.example:8443 or *, found another form");
    }
  }
}

bool Origins::permits(const std::string& origin, const std::string& host) const {
  if (origin.empty() || allowed_.empty() || lists(origin)) return true;
  const size_t scheme = origin.find("://");
  return scheme != std::string::npos && origin.substr(scheme + 3) == host;
}

bool Origins::lists(const std::string& origin) const {
  return !origin.empty() && (all_ || std::find(allowed_.begin(), allowed_.end(), origin) != allowed_.end());
}

}  // namespace serve
