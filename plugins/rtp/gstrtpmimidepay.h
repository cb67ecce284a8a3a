// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/rtp/rtp.h>

struct GstRtpMimiDepayPrivate;

struct GstRtpMimiDepay {
  GstRTPBaseDepayload parent;
  GstRtpMimiDepayPrivate* priv;
};

struct GstRtpMimiDepayClass {
  GstRTPBaseDepayloadClass parent_class;
};

#define GST_TYPE_RTP_MIMI_DEPAY (gst_rtp_mimi_depay_get_type())
G_BEGIN_DECLS
GType gst_rtp_mimi_depay_get_type(void);
G_END_DECLS
