// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/audio/audio.h>

struct GstMimiEncPrivate;

struct GstMimiEnc {
  GstAudioEncoder parent;
  GstMimiEncPrivate* priv;
};

struct GstMimiEncClass {
  GstAudioEncoderClass parent_class;
};

#define GST_TYPE_MIMI_ENC (gst_mimi_enc_get_type())
G_BEGIN_DECLS
GType gst_mimi_enc_get_type(void);
G_END_DECLS
