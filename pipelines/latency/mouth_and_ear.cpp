// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "latency/mouth_and_ear.h"

#include <gst/app/gstappsrc.h>

#include <algorithm>

namespace latency {
namespace {

constexpr int kPiecesPerSecond = 100;

GstClockTime duration_of(size_t samples, int rate) {
  return gst_util_uint64_scale(samples, GST_SECOND, static_cast<guint64>(rate));
}

std::string raw_caps(int rate) {
  return "audio/x-raw, format=F32LE, layout=interleaved, channels=1, rate=" + std::to_string(rate);
}

/// An element of a pipeline, which keeps it.
GstElement* part_of(Pipeline& pipeline, const char* name) {
  GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline.get()), name);
  gst_object_unref(element);
  return element;
}

/// Waits until `time`; for less than a piece, so that stopping need not wake it.
void wait_until(GstClock* clock, GstClockTime time) {
  const GstClockID id = gst_clock_new_single_shot_id(clock, time);
  gst_clock_id_wait(id, nullptr);
  gst_clock_id_unref(id);
}

}  // namespace

void Mouth::attach(Pipeline& pipeline) {
  appsrc_ = part_of(pipeline, "mouth");
  set_property(appsrc_, "caps", raw_caps(rate_));
  g_object_set(appsrc_, "is-live", TRUE, "format", GST_FORMAT_TIME, "min-latency",
               static_cast<gint64>(GST_SECOND / kPiecesPerSecond), nullptr);
  g_signal_connect(appsrc_, "need-data", G_CALLBACK(speak), this);
}

void Mouth::speak(GstElement* appsrc, guint /*size*/, Mouth* mouth) {
  const auto count = static_cast<size_t>(mouth->rate_ / kPiecesPerSecond);
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, count * sizeof(float), nullptr);
  gst_buffer_memset(buffer, 0, 0, count * sizeof(float));
  const size_t first = std::min(mouth->next_, mouth->samples_.size());
  gst_buffer_fill(buffer, 0, mouth->samples_.data() + first,
                  std::min(count, mouth->samples_.size() - first) * sizeof(float));
  GST_BUFFER_PTS(buffer) = duration_of(mouth->next_, mouth->rate_);
  GST_BUFFER_DURATION(buffer) = GST_SECOND / kPiecesPerSecond;
  mouth->next_ += count;
  if (GstClock* clock = gst_element_get_clock(appsrc)) {
    wait_until(clock, mouth->time_of(mouth->next_));
    gst_object_unref(clock);
  }
  gst_app_src_push_buffer(GST_APP_SRC(appsrc), buffer);
}

GstClockTime Mouth::time_of(size_t sample) const {
  return gst_element_get_base_time(appsrc_) + duration_of(sample, rate_);
}

std::string Ear::sink() const {
  return "audioconvert ! audioresample ! capsfilter caps=\"" + raw_caps(rate_) +
         "\" ! fakesink name=ear sync=true signal-handoffs=true";
}

void Ear::attach(Pipeline& pipeline) {
  g_signal_connect(part_of(pipeline, "ear"), "handoff", G_CALLBACK(hear), this);
}

void Ear::hear(GstElement* fakesink, GstBuffer* buffer, GstPad* /*pad*/, Ear* ear) {
  GstClock* clock = gst_element_get_clock(fakesink);
  ear->pieces_.push_back({ear->samples_.size(), gst_clock_get_time(clock)});
  gst_object_unref(clock);
  const size_t count = gst_buffer_get_size(buffer) / sizeof(float);
  ear->samples_.resize(ear->samples_.size() + count);
  gst_buffer_extract(buffer, 0, &*ear->samples_.end() - count, count * sizeof(float));
}

GstClockTime Ear::time_of(size_t sample) const {
  const auto after = std::partition_point(pieces_.begin(), pieces_.end(),
                                          [sample](const Piece& piece) { return piece.first <= sample; });
  const Piece& piece = *(after - 1);
  return piece.time + duration_of(sample - piece.first, rate_);
}

}  // namespace latency
