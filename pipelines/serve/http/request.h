// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a request says of itself.
#pragma once

#include <libsoup/soup.h>

#include <map>
#include <string>

#include "serve/session.h"

namespace serve {

/// The names and values of its query.
std::map<std::string, std::string> query_of(SoupServerMessage* message);

/// Those of `a=b&c=d`, with `%` and `+` decoded; of a name that is there twice, the last.
std::map<std::string, std::string> decode_query(const std::string& text);

/// A header, empty where the request has none of that name.
std::string header_of(SoupServerMessage* message, const char* name);

/// Who sent it.
Caller caller_of(SoupServerMessage* message);

/// The trace id of a `traceparent` (W3C Trace Context), empty where that is none.
std::string trace_id_of(const std::string& traceparent);

}  // namespace serve
