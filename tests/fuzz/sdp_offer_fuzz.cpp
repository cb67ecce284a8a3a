// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Any body of a request is an offer or refused with a line; what is taken for an offer is the same one in its
// own words.
#include "serve/webrtc/offer.h"

#include <cstdlib>

#include "serve/webrtc/sdp_error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  serve::Offer offer;
  try {
    offer = serve::parse_offer({reinterpret_cast<const char*>(data), size});
  } catch (const serve::SdpError& error) {
    const bool known = error.status() == 400 || error.status() == 422;
    if (!known || std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
    return 0;
  }
  const std::string words = serve::to_sdp(offer);
  if (serve::to_sdp(serve::parse_offer(words)) != words) std::abort();
  return 0;
}
