// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the payloader and the depayloader share.
#pragma once

#include <gst/gst.h>

namespace gstmoshi {

/// Answers a source pad's latency query: upstream's, and `added`.
bool answer_latency(GstPad* sink, GstQuery* query, GstClockTime added);

/// The base class's own `stats`, to add fields to (transfer full).
GstStructure* base_stats(GObject* object, gpointer parent_class);

/// Installs the `stats` property in place of the base class's.
void install_stats(GObjectClass* object_class, guint id, const char* blurb);

}  // namespace gstmoshi
