// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "../options.h"

/// What `gst-moshi phone` is asked for.
struct PhoneOptions : CommonOptions, SamplingOptions {
  std::string rtp;          ///< HOST:PORT, or none.
  std::string audiosocket;  ///< Likewise.
  std::string transcript;   ///< File for all words, or none.
  int calls = 0;            ///< At a time; 0: as many as the device was found to hold.
  int idle_timeout = 30;    ///< Seconds without a packet after which a call has ended.
  bool allow_slow = false;
};
