// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Any body of a PATCH is a fragment or refused with a line; each candidate is one line of what came.
#include "serve/webrtc/ice_fragment.h"

#include <cstdint>
#include <cstdlib>

#include "serve/webrtc/sdp_error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    for (const std::string& candidate : serve::parse_ice_fragment(text).candidates) {
      if (!serve::is_ice_candidate(candidate) || text.find("a=" + candidate) == std::string::npos)
        std::abort();
    }
  } catch (const serve::SdpError& error) {
    if (error.status() != 400 || std::string_view(error.what()).find('\n') != std::string_view::npos)
      std::abort();
  }
  return 0;
}
