// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm_worker.h"

#include <algorithm>

#include "elements.h"
#include "guarded.h"
#include "real_time.h"
#include "slow_session.h"

GST_DEBUG_CATEGORY_EXTERN(moshilm_debug);
#define GST_CAT_DEFAULT moshilm_debug

namespace gstmoshi {

LmWorker::LmWorker(Backend& backend, GstElement* element, GstPad* sinkpad, GstPad* srcpad)
    : backend_(backend), element_(element), sinkpad_(sinkpad), srcpad_(srcpad) {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
}

GstClockTime LmWorker::frame_ns() const {
  return static_cast<GstClockTime>(backend_.context().codec().frame_ns);
}

guint64 LmWorker::frame_size() const { return static_cast<guint64>(backend_.context().codec().frame_size); }

// ------------------------------------------------------------------------------- sink pad's half

void LmWorker::set_upstream(const UpstreamLatency& upstream) {
  live_ = upstream.live;
  upstream_latency_ = upstream.minimum;
  latency_known_ = true;
}

void LmWorker::set_input(const GstCaps* caps) {
  input_ = parse_mimi_caps(caps, backend_.context().codec(), backend_.context().lm().user_codebooks);
}

GstFlowReturn LmWorker::chain(GstBuffer* buffer, LatePolicy policy, size_t max_backlog) {
  if (input_.codebooks == 0) {
    throw moshi::Error(
        moshi::ErrorCode::OutOfRange,
        "codes without caps: expected audio/x-mimi caps first, found none; put a caps filter before");
  }
  if (!latency_known_) set_upstream(query_upstream_latency(sinkpad_));
  UserFrame frame;
  frame.codes = read_codes(buffer, input_.codebooks, backend_.context().lm().user_codebooks,
                           backend_.context().codec().cardinality);
  frame.pts = GST_BUFFER_PTS(buffer);
  frame.arrival = gst_element_get_current_running_time(element_);
  GstClockTime dropped = GST_CLOCK_TIME_NONE;
  const GstFlowReturn flow = queue_.push(std::move(frame), {live_, policy, max_backlog}, &dropped);
  if (flow != GST_FLOW_OK) return flow;
  const bool lost = GST_CLOCK_TIME_IS_VALID(dropped);
  backend_.figures().change([&](auto& counters) {
    ++counters.frames_in;
    if (lost) ++counters.frames_dropped;
    counters.backlog = queue_.backlog();
  });
  if (lost) {
    GST_DEBUG_OBJECT(element_, "backlog: dropped the frame of %" GST_TIME_FORMAT, GST_TIME_ARGS(dropped));
    const EventPtr event(gst_pad_get_sticky_event(sinkpad_, GST_EVENT_SEGMENT, 0));
    const GstSegment* segment = nullptr;
    gst_event_parse_segment(event.get(), &segment);
    backend_.post_qos(*segment, dropped, frame_ns(), 0);
  }
  return GST_FLOW_OK;
}

bool LmWorker::queue_event(GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
    const moshi::LmInfo& lm = backend_.context().lm();
    gst_event_unref(event);
    if (lm.dep_q == 0) return true;  // Nothing but gaps comes out.
    // The model's codes are of the codec it hears.
    GstCaps* caps = mimi_caps(backend_.context().codec(), {lm.output_codebooks, input_.codec_id});
    event = gst_event_new_caps(caps);
    gst_caps_unref(caps);
  }
  return queue_.push(EventPtr(event));
}

void LmWorker::set_text(std::shared_ptr<TextOutput> text) {
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
}

void LmWorker::set_settings(LmSettings settings) {
  const std::lock_guard lock(mutex_);
  settings_ = std::move(settings);
}

void LmWorker::set_playing(bool playing) {
  playing_ = playing;
  queue_.nudge();
}

void LmWorker::forget_stream() {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  timeline_.reset(backend_.context().codec().sample_rate);
  shift_ = 0;
  discont_ = true;
  text_started_.reset();
  if (conversation_) conversation_->restart();
}

void LmWorker::close() {
  forget_stream();
  backend_.figures().detach();
  conversation_.reset();
  silence_.clear();
  input_ = {};
  latency_known_ = false;
}

// ------------------------------------------------------------------------------------- task's half

std::shared_ptr<TextOutput> LmWorker::text() {
  std::shared_ptr<TextOutput> text;
  {
    const std::lock_guard lock(mutex_);
    text = text_;
  }
  if (text && text != text_started_) {
    text->push_segment(segment_);
    text_started_ = text;
  }
  return text;
}

bool LmWorker::step() {
  GstClock* clock = gst_element_get_clock(element_);
  InputQueue::Item item;
  const InputQueue::Wake wake = queue_.pop(&item, clock, silence_deadline(clock));
  if (clock != nullptr) gst_object_unref(clock);
  if (wake == InputQueue::Wake::Flushing) return false;
  const GstFlowReturn flow = guarded(element_, GST_FLOW_ERROR, [&] {
    if (wake == InputQueue::Wake::Tick) return handle_silence();
    if (auto* event = std::get_if<EventPtr>(&item)) return handle_event(event->release());
    return handle_frame(std::get<UserFrame>(item));
  });
  return flow == GST_FLOW_OK || finish(flow) == GST_FLOW_OK;
}

// After the last word: upstream learns it from its next buffer, downstream gets the end of the stream.
GstFlowReturn LmWorker::finish(GstFlowReturn flow) {
  queue_.end(flow);
  if (flow == GST_FLOW_FLUSHING) return flow;
  // Other errors have been reported where they arose.
  if (flow == GST_FLOW_NOT_LINKED || flow == GST_FLOW_NOT_NEGOTIATED) GST_ELEMENT_FLOW_ERROR(element_, flow);
  gst_pad_push_event(srcpad_, gst_event_new_eos());
  if (const auto output = text()) output->push_eos();
  return flow;
}

// Upstream's word on its latency, or up to a frame more where it does not keep it: a slow encoder's frames
// are late, not lost.
void LmWorker::note_arrival(const UserFrame& frame) {
  const GstClockTime running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, frame.pts);
  GstClockTime seen = 0;
  if (GST_CLOCK_TIME_IS_VALID(frame.arrival) && GST_CLOCK_TIME_IS_VALID(running) && frame.arrival > running) {
    seen = frame.arrival - running;
  }
  const GstClockTime least = upstream_latency_;
  delay_ = std::clamp(std::max(seen, delay_ - delay_ / 32), least, least + frame_ns());
}

// When silence must be stepped in place of the next frame, so that its answer is still in time.
GstClockTime LmWorker::silence_deadline(GstClock* clock) const {
  const GstClockTime next = timeline_.next();
  if (!playing_ || !live_ || clock == nullptr || silence_.empty() || !GST_CLOCK_TIME_IS_VALID(next)) {
    return GST_CLOCK_TIME_NONE;
  }
  const GstClockTime running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, next);
  if (!GST_CLOCK_TIME_IS_VALID(running)) return GST_CLOCK_TIME_NONE;
  const auto step = static_cast<GstClockTime>(conversation_->stats().step_ms_p50 * GST_MSECOND);
  const GstClockTime budget = backend_.budget();
  return gst_element_get_base_time(element_) + running + delay_ + budget - std::min(step, budget);
}

GstFlowReturn LmWorker::handle_silence() {
  GstClock* clock = gst_element_get_clock(element_);
  const GstClockTime deadline = silence_deadline(clock);
  const bool due = GST_CLOCK_TIME_IS_VALID(deadline) && gst_clock_get_time(clock) >= deadline;
  if (clock != nullptr) gst_object_unref(clock);
  if (!due) return GST_FLOW_OK;  // The pipeline paused, or was nudged.
  GST_DEBUG_OBJECT(element_, "no input for %" GST_TIME_FORMAT ", stepping silence",
                   GST_TIME_ARGS(timeline_.next()));
  backend_.figures().change([](auto& counters) { ++counters.frames_concealed; });
  return handle_frame({silence_, timeline_.next()});
}

GstFlowReturn LmWorker::open_conversation() {
  const GstFlowReturn flow = backend_.wait_loaded();
  if (flow != GST_FLOW_OK) return flow;
  LmSettings settings;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
  }
  moshi::ExecutionContext& context = backend_.context();
  const moshi::LmInfo& lm = context.lm();
  if (live_) {
    silence_ = silence_codes(context, lm.user_codebooks, backend_.cancellation());
    queue_.set_silence(silence_);
    check_real_time(context, settings.step_delay, settings.allow_slow, backend_.cancellation());
  }
  auto opened = context.open_lm({settings.sampling, settings.conditions, live_});
  const auto session = std::make_shared<SlowSession>(std::move(opened), settings.step_delay);
  backend_.attach([session] { return session->stats(); }, settings.step_delay);
  GST_INFO_OBJECT(element_, "conversation with seed %" G_GUINT64_FORMAT ", %s", session->seed(),
                  live_ ? "live" : "offline");
  conversation_ = std::make_unique<Conversation>(session, lm, settings.first_frame == FirstFrame::Repeat);
  return GST_FLOW_OK;
}

GstFlowReturn LmWorker::handle_frame(const UserFrame& frame) {
  if (!conversation_) {
    const GstFlowReturn flow = open_conversation();
    if (flow != GST_FLOW_OK) return flow;
  }
  note_arrival(frame);
  const GstClockTimeDiff jump = timeline_.jump(frame.pts);
  if (live_ && jump < 0) {  // Silence has taken its place.
    GST_DEBUG_OBJECT(element_, "frame of %" GST_TIME_FORMAT " came too late", GST_TIME_ARGS(frame.pts));
    backend_.figures().change([](auto& counters) { ++counters.frames_dropped; });
    return GST_FLOW_OK;
  }
  if (jump != 0) {
    GST_DEBUG_OBJECT(element_, "time jumps by %" G_GINT64_FORMAT " ns", jump);
    backend_.figures().change([](auto& counters) { ++counters.resyncs; });
    discont_ = true;
  }
  if (jump != 0 || !GST_CLOCK_TIME_IS_VALID(timeline_.next())) {
    timeline_.restart(GST_CLOCK_TIME_IS_VALID(frame.pts) ? frame.pts : segment_.start);
  }
  const GstClockTime pts = timeline_.next() + shift_;
  timeline_.advance(frame_size());
  if (frame.dropped) {
    discont_ = true;
    return push_gap(pts, frame_ns());
  }
  const auto column = conversation_->step(frame.codes, backend_.cancellation());
  return column ? push_column(pts, *column) : GST_FLOW_OK;
}

GstFlowReturn LmWorker::push_gap(GstClockTime pts, GstClockTime duration) {
  gst_pad_push_event(srcpad_, gst_event_new_gap(pts, duration));
  if (const auto output = text()) output->push_text(pts, duration, "");
  return GST_FLOW_OK;
}

GstFlowReturn LmWorker::push_column(GstClockTime pts, const Column& column) {
  const auto output = text();
  if (output) {
    moshi::ExecutionContext& context = backend_.context();
    output->push_text(pts, frame_ns(), context.token_text(column.text),
                      column.text == context.lm().text_end_padding_id);
  }
  backend_.figures().change([this](auto& counters) {
    ++counters.frames_out;
    counters.backlog = queue_.backlog();
  });
  backend_.check_late(segment_, pts, frame_ns());
  GstFlowReturn flow = GST_FLOW_OK;
  if (column.codes.empty()) {
    gst_pad_push_event(srcpad_, gst_event_new_gap(pts, frame_ns()));
  } else {
    GstBuffer* buffer = write_codes(column.codes);
    GST_BUFFER_PTS(buffer) = pts;
    GST_BUFFER_DURATION(buffer) = frame_ns();
    if (discont_) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    discont_ = false;
    flow = gst_pad_push(srcpad_, buffer);
    if (flow == GST_FLOW_NOT_LINKED && output) flow = GST_FLOW_OK;  // Only the text is wanted.
  }
  return flow == GST_FLOW_OK && column.last ? GST_FLOW_EOS : flow;
}

// A gap in a live stream is time without speech; offline it is passed on as what it is.
GstFlowReturn LmWorker::handle_gap(GstEvent* event) {
  const EventPtr owned(event);
  GstClockTime start = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(event, &start, &duration);
  if (!GST_CLOCK_TIME_IS_VALID(duration)) return GST_FLOW_OK;
  const GstClockTime end = start + std::min(duration, GST_CLOCK_TIME_NONE - 1 - start);
  if (live_) return GST_FLOW_OK;  // The clock tells how much silence is due.
  timeline_.restart(end);
  discont_ = true;
  return push_gap(start + shift_, end - start);
}

GstFlowReturn LmWorker::handle_end_of_input() {
  if (!conversation_ || !conversation_->has_end_mark()) return GST_FLOW_OK;
  const GstClockTime pts = timeline_.next() + shift_;
  const auto column = conversation_->end_input(backend_.cancellation());
  if (!column) return GST_FLOW_OK;
  shift_ += frame_ns();
  return push_column(pts, *column);
}

GstFlowReturn LmWorker::handle_event(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_GAP:
      return handle_gap(event);
    case GST_EVENT_SEGMENT: {
      gst_event_copy_segment(event, &segment_);
      if (segment_.format != GST_FORMAT_TIME) {  // From a file: time is counted from its start.
        gst_segment_init(&segment_, GST_FORMAT_TIME);
        gst_event_unref(event);
        event = gst_event_new_segment(&segment_);
      }
      timeline_.reset(backend_.context().codec().sample_rate);
      shift_ = 0;
      discont_ = true;
      text_started_.reset();
      break;
    }
    case GST_EVENT_EOS:
      if (const auto output = text()) output->push_eos();
      timeline_.reset(backend_.context().codec().sample_rate);  // No more silence is due.
      break;
    default:
      if (is_end_of_input(event)) {
        const GstFlowReturn flow = handle_end_of_input();
        if (flow != GST_FLOW_OK) {
          gst_event_unref(event);
          return flow;
        }
      }
      break;
  }
  gst_pad_push_event(srcpad_, event);
  return GST_FLOW_OK;
}

}  // namespace gstmoshi
