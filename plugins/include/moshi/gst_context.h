// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// How an application names one model for all elements of a pipeline.
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

namespace moshi {

/// Type of the GstContext that names the model for mimienc, moshilm and mimidec where their `model` property
/// is not set; they ask for it with a NEED_CONTEXT message. Fields, all optional: model, device, context-id
/// (strings), threads (int), graphs (boolean).
inline constexpr const char* gst_context_type = "gst.moshi.context";

/// A GstContext of that type, the caller's, for gst_element_set_context(): the elements work in the
/// ExecutionContext of the same options. It holds names, not the model.
inline GstContext* new_gst_context(const ContextOptions& options) {
  GstContext* context = gst_context_new(gst_context_type, TRUE);
  gst_structure_set(gst_context_writable_structure(context), "model", G_TYPE_STRING, options.model.c_str(),
                    "device", G_TYPE_STRING, options.device.c_str(), "context-id", G_TYPE_STRING,
                    options.context_id.c_str(), "threads", G_TYPE_INT, options.threads, "graphs",
                    G_TYPE_BOOLEAN, static_cast<gboolean>(options.graphs), nullptr);
  return context;
}

}  // namespace moshi
