// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

struct GstMoshiLmPrivate;

struct GstMoshiLm {
  GstElement parent;
  GstMoshiLmPrivate* priv;
};

struct GstMoshiLmClass {
  GstElementClass parent_class;
};

#define GST_TYPE_MOSHI_LM (gst_moshi_lm_get_type())
G_BEGIN_DECLS
GType gst_moshi_lm_get_type(void);
G_END_DECLS
