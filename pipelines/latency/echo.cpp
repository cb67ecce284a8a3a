// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "latency/echo.h"

#include <algorithm>

namespace latency {

void Echo::attach(GstElement* moshilm) {
  gst_pad_add_probe(static_pad(moshilm, "sink").get(), GST_PAD_PROBE_TYPE_BUFFER, remember, this, nullptr);
  gst_pad_add_probe(static_pad(moshilm, "src").get(), GST_PAD_PROBE_TYPE_BUFFER, replace, this, nullptr);
}

GstPadProbeReturn Echo::remember(GstPad* /*pad*/, GstPadProbeInfo* info, gpointer echo) {
  static_cast<Echo*>(echo)->push(GST_PAD_PROBE_INFO_BUFFER(info));
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Echo::replace(GstPad* /*pad*/, GstPadProbeInfo* info, gpointer echo) {
  GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  const std::vector<guint8> codes = static_cast<Echo*>(echo)->pull(GST_BUFFER_PTS(buffer));
  gst_buffer_fill(buffer, 0, codes.data(), std::min(codes.size(), gst_buffer_get_size(buffer)));
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return GST_PAD_PROBE_OK;
}

void Echo::push(GstBuffer* buffer) {
  Frame frame{GST_BUFFER_PTS(buffer), std::vector<guint8>(gst_buffer_get_size(buffer))};
  gst_buffer_extract(buffer, 0, frame.codes.data(), frame.codes.size());
  const std::lock_guard lock(mutex_);
  frames_.push_back(std::move(frame));
}

// moshilm counts time in frames, from which upstream's time stamps may differ a little.
std::vector<guint8> Echo::pull(GstClockTime pts) {
  const std::lock_guard lock(mutex_);
  while (!frames_.empty() && frames_.front().pts + half_frame_ <= pts) frames_.pop_front();
  if (frames_.empty() || frames_.front().pts > pts + half_frame_) return {};
  return frames_.front().codes;
}

}  // namespace latency
