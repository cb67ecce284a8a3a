// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Against requests that never end: each has a time to come in and a size.
#pragma once

#include <libsoup/soup.h>

namespace serve {

/// Limits all requests of a server: 10 s to come in whole, 64 KiB of body (413), and a connection of its
/// own, which is closed when it does nothing for 30 s.
void limit_requests(SoupServer* server);

/// Takes the limits of time away: from a request that waits for its answer, from a connection that has become
/// a conversation.
void allow_silence(SoupServerMessage* message);

}  // namespace serve
