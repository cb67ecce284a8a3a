// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace serve {

/// What a client sent is refused, with a status of HTTP and one line.
class SdpError : public std::invalid_argument {
 public:
  SdpError(unsigned status, const std::string& line) : std::invalid_argument(line), status_(status) {}
  [[nodiscard]] unsigned status() const { return status_; }

 private:
  unsigned status_;
};

/// The beginning of what a client sent, in quotes and fit to be shown.
inline std::string excerpt(std::string_view text) {
  std::string shown(text.substr(0, 40));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return "'" + shown + "'";
}

}  // namespace serve
