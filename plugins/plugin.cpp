// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "elements.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(mimienc, plugin) && GST_ELEMENT_REGISTER(moshilm, plugin) &&
         GST_ELEMENT_REGISTER(mimidec, plugin) && GST_ELEMENT_REGISTER(rtpmimipay, plugin) &&
         GST_ELEMENT_REGISTER(rtpmimidepay, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, moshi,
                  "Full-duplex speech models of the Moshi family", plugin_init, PACKAGE_VERSION, "MIT/X11",
                  PACKAGE, "Unknown package origin")
