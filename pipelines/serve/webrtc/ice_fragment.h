// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a client tells of its addresses after its offer (RFC 8840, application/trickle-ice-sdpfrag).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace serve {

struct IceFragment {
  std::string ufrag;                    ///< Empty where it does not say.
  std::string password;                 ///< Likewise.
  std::vector<std::string> candidates;  ///< "candidate:...", those of kinds that are not known left out.
};

/// Reads a fragment. Throws SdpError, 400, where it is none.
IceFragment parse_ice_fragment(const std::string& text);

/// Whether `text` is an ICE user fragment or password of `least` to 256 characters (RFC 8839, section 5.4).
bool is_ice_word(std::string_view text, size_t least);

/// Whether `text` is a candidate as in SDP, "candidate:..." (RFC 8839, section 5.1), of a kind that is known.
bool is_ice_candidate(std::string_view text);

}  // namespace serve
