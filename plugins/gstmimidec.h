// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/audio/audio.h>

struct GstMimiDecPrivate;

struct GstMimiDec {
  GstAudioDecoder parent;
  GstMimiDecPrivate* priv;
};

struct GstMimiDecClass {
  GstAudioDecoderClass parent_class;
};

#define GST_TYPE_MIMI_DEC (gst_mimi_dec_get_type())
G_BEGIN_DECLS
GType gst_mimi_dec_get_type(void);
G_END_DECLS
