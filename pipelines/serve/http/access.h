// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Who may ask for conversations: by key, by the page that asks, and how often.
#pragma once

#include <libsoup/soup.h>

#include <optional>
#include <string>
#include <vector>

#include "serve/http/keys.h"
#include "serve/http/origins.h"
#include "serve/http/rate.h"
#include "serve/http/refusal.h"

namespace serve {

struct AccessOptions {
  std::string keys;                  ///< File of keys, empty: none is asked for.
  std::vector<std::string> origins;  ///< Empty: all.
  int rate = 0;                      ///< Conversations asked for a minute; 0: any number.
};

class Access {
 public:
  /// Throws Failure where an option cannot be used.
  explicit Access(const AccessOptions& options);

  /// Why this request for a conversation is refused, if it is. Each call counts as one.
  [[nodiscard]] std::optional<Refusal> refusal_of(SoupServerMessage* message);
  /// Lets pages of the listed origins read an answer (CORS).
  void share(SoupServerMessage* message) const;

 private:
  std::optional<Keys> keys_;
  Origins origins_;
  RateLimit rate_;
};

/// The key a request brings: `Authorization: Bearer KEY`, or `?token=KEY`, for browsers' WebSockets; empty:
/// none.
std::string key_of(SoupServerMessage* message);

}  // namespace serve
