// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a balancer in front of several servers asks of each: HAProxy's agent-check, a line a connection.
#pragma once

#include <gio/gio.h>

#include <string>

#include "serve/admission.h"

namespace serve {

/// "up ready 40%", by the places that are free, or "drain" once the server is about to stop. A full server
/// says 1%: one of 0% would be asked no more, and its clients would not hear when to come again.
std::string agent_line(const Admission& admission);

/// Writes that line to whoever connects. The `admission` outlives it.
GSocketService* new_agent(Admission& admission);

}  // namespace serve
