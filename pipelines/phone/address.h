// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gio/gio.h>

#include <string>

#include "../pipeline.h"

/// The address that HOST:PORT names ([HOST]:PORT for IPv6). Throws wrong use, naming `option`, where it names
/// none.
ObjectHandle<GSocketAddress> parse_address(const std::string& option, const std::string& text);

/// HOST:PORT of an address.
std::string to_text(GSocketAddress* address);

/// The failure to listen at an address, from GIO's error, which is freed.
Failure cannot_listen(const std::string& option, const std::string& text, GError* error);
