// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>

namespace serve {

/// What keeps a conversation from beginning.
enum class Reason { Full, Draining, Auth, Rate, BadRequest };

/// As logs and metrics name it: "full", "draining", ...
inline const char* name_of(Reason reason) {
  switch (reason) {
    case Reason::Full:
      return "full";
    case Reason::Draining:
      return "draining";
    case Reason::Auth:
      return "auth";
    case Reason::Rate:
      return "rate";
    case Reason::BadRequest:
      return "bad_request";
  }
  return "";
}

/// How a request that asks for a conversation is answered instead.
struct Refusal {
  Reason reason;
  unsigned status;      ///< Of HTTP.
  std::string line;     ///< Expected, found, what to do.
  int retry_after = 0;  ///< Seconds after which it is worth asking again; 0: it is not.
};

}  // namespace serve
