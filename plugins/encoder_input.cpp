// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "encoder_input.h"

#include <algorithm>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(mimienc_debug);
#define GST_CAT_DEFAULT mimienc_debug

namespace gstmoshi {
namespace {

// Sum of times that cannot become "no time".
GstClockTime add(GstClockTime a, GstClockTime b) { return a + std::min(b, GST_CLOCK_TIME_NONE - 1 - a); }

}  // namespace

EncoderInput::EncoderInput(GstAudioEncoder* encoder, Backend& backend)
    : encoder_(encoder),
      backend_(backend),
      base_chain_(GST_PAD_CHAINFUNC(GST_AUDIO_ENCODER_SINK_PAD(encoder))) {
  gst_audio_info_init(&info_);
}

guint64 EncoderInput::frame_size() const {
  return static_cast<guint64>(backend_.context().codec().frame_size);
}

void EncoderInput::set_format(const GstCaps* caps) {
  GstAudioInfo info;
  if (caps == nullptr || !gst_audio_info_from_caps(&info, caps)) gst_audio_info_init(&info);
  if (!gst_audio_info_is_equal(&info, &info_)) in_frame_ = 0;  // The base class drains.
  info_ = info;
}

void EncoderInput::forget_stream() {
  timeline_.reset(backend_.context().codec().sample_rate);
  in_frame_ = 0;
  shift_ = 0;
  gap_ = 0;
  restart_ = true;
}

bool EncoderInput::take_restart() { return std::exchange(restart_, false); }

// Hands samples to the base class, which cuts them into frames.
GstFlowReturn EncoderInput::push_samples(GstBuffer* buffer) {
  const guint64 samples = gst_buffer_get_size(buffer) / static_cast<gsize>(info_.bpf);
  in_frame_ = (in_frame_ + samples) % frame_size();
  timeline_.advance(samples);
  return base_chain_(pad(), GST_OBJECT(encoder_), buffer);
}

// At most a second of silence a buffer, so that a long gap needs no memory.
GstFlowReturn EncoderInput::push_silence(guint64 samples) {
  GstFlowReturn flow = GST_FLOW_OK;
  while (samples > 0 && flow == GST_FLOW_OK) {
    const guint64 part = std::min<guint64>(samples, static_cast<guint64>(info_.rate));
    const gsize size = static_cast<gsize>(part) * static_cast<gsize>(info_.bpf);
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
    gst_buffer_memset(buffer, 0, 0, size);
    GST_BUFFER_PTS(buffer) = timeline_.next();
    flow = push_samples(buffer);
    samples -= part;
  }
  return flow;
}

// Completes the frame under way with silence.
GstFlowReturn EncoderInput::complete_frame() {
  return in_frame_ == 0 ? GST_FLOW_OK : push_silence(frame_size() - in_frame_);
}

GstFlowReturn EncoderInput::end() {
  const GstClockTime before = timeline_.next();
  const GstFlowReturn flow = complete_frame();
  if (GST_CLOCK_TIME_IS_VALID(before)) shift_ += timeline_.next() - before;
  return flow;
}

// Time passes without data: silence up to max-gap, beyond it the codec starts anew. `silent` tells which.
GstFlowReturn EncoderInput::pass_gap(GstClockTime duration, GstClockTime max_gap, bool* silent) {
  const GstClockTime before = gap_;
  gap_ = add(gap_, duration);
  *silent = gap_ <= max_gap;
  if (*silent) {
    return push_silence(gst_util_uint64_scale_round(duration, static_cast<guint64>(info_.rate), GST_SECOND));
  }
  if (before > max_gap) return GST_FLOW_OK;  // Started anew already.
  GST_DEBUG_OBJECT(encoder_, "gap longer than max-gap, the codec starts anew");
  const GstFlowReturn flow = complete_frame();
  restart_ = true;
  return flow;
}

// A source whose clock is slow repeats a little time: what has been heard of it is left out, which may be a
// whole buffer (nullptr).
GstBuffer* EncoderInput::skip_heard(GstBuffer* buffer, GstClockTime overlap) {
  GST_DEBUG_OBJECT(encoder_, "%" G_GUINT64_FORMAT " ns have been heard already", overlap);
  backend_.figures().change([](auto& counters) { ++counters.resyncs; });
  const gsize samples = gst_util_uint64_scale_round(overlap, static_cast<guint64>(info_.rate), GST_SECOND);
  if (samples * static_cast<gsize>(info_.bpf) >= gst_buffer_get_size(buffer)) {
    gst_buffer_unref(buffer);
    return nullptr;
  }
  return gst_audio_buffer_truncate(buffer, info_.bpf, samples, static_cast<gsize>(-1));
}

// Upstream's time left the count: forward is a gap nobody announced, back is another stream.
GstFlowReturn EncoderInput::follow_jump(GstClockTimeDiff jump, GstClockTime pts, GstClockTime max_gap) {
  GST_DEBUG_OBJECT(encoder_, "time jumps by %" G_GINT64_FORMAT " ns", jump);
  backend_.figures().change([](auto& counters) { ++counters.resyncs; });
  GstFlowReturn flow = GST_FLOW_OK;
  bool silent = false;
  if (jump > 0) {
    flow = pass_gap(static_cast<GstClockTime>(jump), max_gap, &silent);
  } else {
    flow = complete_frame();
    restart_ = true;
  }
  if (!silent) timeline_.restart(pts);
  return flow;
}

GstFlowReturn EncoderInput::chain(GstBuffer* buffer, GstClockTime max_gap) {
  // Without caps, or with a torn buffer, the base class has the error to report.
  if (!GST_AUDIO_INFO_IS_VALID(&info_) || gst_buffer_get_size(buffer) % static_cast<gsize>(info_.bpf) != 0) {
    return base_chain_(pad(), GST_OBJECT(encoder_), buffer);
  }
  buffer = gst_audio_buffer_clip(buffer, &encoder_->input_segment, info_.rate, info_.bpf);
  if (buffer == nullptr) return GST_FLOW_OK;

  GstFlowReturn flow = GST_FLOW_OK;
  const GstClockTime pts =
      GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) + shift_ : GST_CLOCK_TIME_NONE;
  const GstClockTimeDiff jump = timeline_.jump(pts);
  if (jump < 0 && -jump <= backend_.context().codec().frame_ns) {
    buffer = skip_heard(buffer, static_cast<GstClockTime>(-jump));
    if (buffer == nullptr) return GST_FLOW_OK;
  } else if (jump != 0) {
    flow = follow_jump(jump, pts, max_gap);
  } else if (!GST_CLOCK_TIME_IS_VALID(timeline_.next())) {
    timeline_.restart(GST_CLOCK_TIME_IS_VALID(pts) ? pts : encoder_->input_segment.start);
  }
  gap_ = 0;
  if (flow != GST_FLOW_OK) {
    gst_buffer_unref(buffer);
    return flow;
  }
  // The base class shall count, too, unless time jumped.
  buffer = gst_buffer_make_writable(buffer);
  GST_BUFFER_PTS(buffer) = timeline_.next();
  GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT);
  return push_samples(buffer);
}

GstEvent* EncoderInput::gap(GstEvent* event, GstClockTime max_gap, GstFlowReturn* flow) {
  GstClockTime start = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(event, &start, &duration);
  if (!GST_AUDIO_INFO_IS_VALID(&info_) || !GST_CLOCK_TIME_IS_VALID(duration) || gap_ > max_gap) return event;

  gst_event_unref(event);
  start += shift_;
  if (!GST_CLOCK_TIME_IS_VALID(timeline_.next())) timeline_.restart(start);
  const GstClockTime end = add(start, duration);
  if (end <= timeline_.next()) return nullptr;
  bool silent = false;
  *flow = pass_gap(end - timeline_.next(), max_gap, &silent);
  if (silent || *flow != GST_FLOW_OK) return nullptr;
  start = timeline_.next();
  timeline_.reset(info_.rate);
  return end > start ? gst_event_new_gap(start, end - start) : nullptr;
}

}  // namespace gstmoshi
