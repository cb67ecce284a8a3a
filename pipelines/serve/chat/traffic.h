// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a client sends, counted where it comes in: a message that never ends counts, too.
#pragma once

#include <gio/gio.h>

#include <cstdint>

#include "serve/http/rate.h"

namespace serve {

class Traffic {
 public:
  /// Counts from now on; `socket` outlives this.
  explicit Traffic(GSocket* socket);

  /// Whether more came than speech needs: 64 KiB a second (the most Opus makes), and 512 KiB at once.
  bool too_much();

 private:
  /// Bytes received since the connection began.
  [[nodiscard]] uint64_t received() const;

  GSocket* socket_;
  uint64_t counted_ = 0;
  TokenBucket allowed_;
};

}  // namespace serve
