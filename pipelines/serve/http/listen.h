// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <libsoup/soup.h>

#include <string>

namespace serve {

/// Where a server listens.
struct Address {
  std::string host;
  int port = 0;
  std::string ssl;      ///< Directory of cert.pem and key.pem, empty: plain HTTP.
  std::string options;  ///< How those that name host and port begin: "--", "--admin-", "--agent-".
};

/// Makes `server` listen at all addresses of the host. Throws Failure where it cannot.
void listen(SoupServer* server, const Address& address);
/// Likewise what takes connections without HTTP and TLS.
void listen(GSocketListener* listener, const Address& address);

}  // namespace serve
