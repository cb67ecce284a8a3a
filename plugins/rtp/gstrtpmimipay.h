// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/rtp/rtp.h>

struct GstRtpMimiPayPrivate;

struct GstRtpMimiPay {
  GstRTPBasePayload parent;
  GstRtpMimiPayPrivate* priv;
};

struct GstRtpMimiPayClass {
  GstRTPBasePayloadClass parent_class;
};

#define GST_TYPE_RTP_MIMI_PAY (gst_rtp_mimi_pay_get_type())
G_BEGIN_DECLS
GType gst_rtp_mimi_pay_get_type(void);
G_END_DECLS
