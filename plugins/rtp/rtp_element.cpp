// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rtp_element.h"

namespace gstmoshi {

bool answer_latency(GstPad* sink, GstQuery* query, GstClockTime added) {
  if (!gst_pad_peer_query(sink, query)) return false;
  gboolean live = FALSE;
  GstClockTime least = 0;
  GstClockTime most = 0;
  gst_query_parse_latency(query, &live, &least, &most);
  if (GST_CLOCK_TIME_IS_VALID(most)) most += added;
  gst_query_set_latency(query, live, least + added, most);
  return true;
}

GstStructure* base_stats(GObject* object, gpointer parent_class) {
  auto* base = static_cast<GObjectClass*>(parent_class);
  GParamSpec* spec = g_object_class_find_property(base, "stats");
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_STRUCTURE);
  base->get_property(object, spec->param_id, &value, spec);
  auto* stats = static_cast<GstStructure*>(g_value_dup_boxed(&value));
  g_value_unset(&value);
  return stats;
}

void install_stats(GObjectClass* object_class, guint id, const char* blurb) {
  g_object_class_install_property(
      object_class, id,
      g_param_spec_boxed("stats", "Statistics", blurb, GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

}  // namespace gstmoshi
