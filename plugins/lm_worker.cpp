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
namespace {

// Missing time of a live stream up to this long is heard as silence; beyond it time begins anew.
constexpr GstClockTime max_silence = 10 * GST_SECOND;
// Neither side speaks for so long in a pause.
constexpr GstClockTime pause = GST_SECOND;

}  // namespace

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
  std::vector<GstClockTime> dropped;
  const GstFlowReturn flow = queue_.push(std::move(frame), {live_, policy, max_backlog}, &dropped);
  if (flow != GST_FLOW_OK) return flow;
  backend_.figures().change([&](auto& counters) {
    ++counters.frames_in;
    counters.frames_dropped += dropped.size();
    counters.backlog = queue_.backlog();
  });
  for (const GstClockTime pts : dropped) {
    GST_DEBUG_OBJECT(element_, "backlog: dropped the frame of %" GST_TIME_FORMAT, GST_TIME_ARGS(pts));
    const EventPtr event(gst_pad_get_sticky_event(sinkpad_, GST_EVENT_SEGMENT, 0));
    const GstSegment* segment = nullptr;
    gst_event_parse_segment(event.get(), &segment);
    backend_.post_qos(*segment, pts, frame_ns(), backend_.lateness(*segment, pts));
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
  quiet_ = 0;
  answering_ = false;
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

bool LmWorker::step(const LivePolicy& policy) {
  policy_ = policy;
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
void LmWorker::note_arrival(const UserFrame& frame, GstClockTime pts) {
  const GstClockTime running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, pts);
  GstClockTime seen = 0;
  if (GST_CLOCK_TIME_IS_VALID(frame.arrival) && GST_CLOCK_TIME_IS_VALID(running) && frame.arrival > running) {
    seen = frame.arrival - running;
  }
  const GstClockTime least = upstream_latency_;
  delay_ = std::clamp(std::max(seen, delay_ - delay_ / 32), least, least + frame_ns());
}

// When silence must be stepped in place of the next frame: by default so that its answer is still in time.
GstClockTime LmWorker::silence_deadline(GstClock* clock) const {
  const GstClockTime next = timeline_.next();
  if (!playing_ || !live_ || clock == nullptr || silence_.empty() || !GST_CLOCK_TIME_IS_VALID(next)) {
    return GST_CLOCK_TIME_NONE;
  }
  const GstClockTime running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, next);
  if (!GST_CLOCK_TIME_IS_VALID(running)) return GST_CLOCK_TIME_NONE;
  GstClockTime timeout = policy_.starvation_timeout;
  if (!GST_CLOCK_TIME_IS_VALID(timeout)) {
    const auto step = static_cast<GstClockTime>(conversation_->stats().step_ms_p50 * GST_MSECOND);
    timeout = backend_.budget() - std::min(step, backend_.budget());
  }
  const GstClockTime due = gst_element_get_base_time(element_) + running + delay_;
  return due + std::min(timeout, GST_CLOCK_TIME_NONE - 1 - due);
}

GstFlowReturn LmWorker::handle_silence() {
  GstClock* clock = gst_element_get_clock(element_);
  const GstClockTime deadline = silence_deadline(clock);
  const bool due = GST_CLOCK_TIME_IS_VALID(deadline) && gst_clock_get_time(clock) >= deadline;
  if (clock != nullptr) gst_object_unref(clock);
  if (!due) return GST_FLOW_OK;  // The pipeline paused, or was nudged.
  return conceal();
}

// The next frame is missing: the model hears silence in its place.
GstFlowReturn LmWorker::conceal() {
  GST_DEBUG_OBJECT(element_, "no input for %" GST_TIME_FORMAT ", stepping silence",
                   GST_TIME_ARGS(timeline_.next()));
  backend_.figures().change([](auto& counters) { ++counters.frames_concealed; });
  return step_frame(silence_);
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
  if (live_ || policy_.context == ContextPolicy::RestartInSilence) {
    silence_ = silence_codes(context, lm.user_codebooks, backend_.cancellation());
    queue_.set_silence(silence_);
  }
  in_time_ = !live_ || check_real_time(element_, context, settings.step_delay, settings.allow_slow,
                                       backend_.cancellation());
  // A device that is too slow never catches up: all that may wait does, and one that is under way.
  backend_.expect_waiting(in_time_ ? 0 : (policy_.may_wait + 1) * frame_ns());
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
  GstClockTimeDiff jump = timeline_.jump(frame.pts);
  if (live_ && jump < 0) {  // Silence has taken its place.
    note_arrival(frame, frame.pts);
    note_too_late(frame);
    return GST_FLOW_OK;
  }
  if (jump != 0) {
    const GstFlowReturn flow = handle_jump(jump, frame.pts);
    if (flow != GST_FLOW_OK) return flow;
  }
  if (!GST_CLOCK_TIME_IS_VALID(timeline_.next())) {
    timeline_.restart(GST_CLOCK_TIME_IS_VALID(frame.pts) ? frame.pts : segment_.start);
  }
  // Against the count, from which upstream's time stamps may differ a little.
  note_arrival(frame, timeline_.next());
  if (!frame.dropped) return step_frame(frame.codes);
  const GstClockTime pts = timeline_.next() + shift_;
  timeline_.advance(frame_size());
  discont_ = true;
  return push_gap(pts, frame_ns());
}

void LmWorker::note_too_late(const UserFrame& frame) {
  GST_DEBUG_OBJECT(element_, "frame of %" GST_TIME_FORMAT " came too late", GST_TIME_ARGS(frame.pts));
  backend_.figures().change([&frame](auto& counters) {
    if (!frame.dropped) ++counters.frames_dropped;
    ++counters.frames_too_late;
  });
  if (!frame.dropped) {  // Else it has been reported.
    backend_.post_qos(segment_, frame.pts, frame_ns(), backend_.lateness(segment_, frame.pts));
  }
}

// Frames are missing, or time begins anew. In a live stream the model hears silence for what is missing.
GstFlowReturn LmWorker::handle_jump(GstClockTimeDiff jump, GstClockTime pts) {
  const auto missing =
      gst_util_uint64_scale_round(static_cast<guint64>(std::max<GstClockTimeDiff>(jump, 0)), 1, frame_ns());
  if (live_ && !silence_.empty() && missing * frame_ns() <= max_silence) {
    GstFlowReturn flow = GST_FLOW_OK;
    for (guint64 i = 0; i < missing && flow == GST_FLOW_OK; ++i) flow = conceal();
    return flow;
  }
  GST_DEBUG_OBJECT(element_, "time jumps by %" G_GINT64_FORMAT " ns", jump);
  backend_.figures().change([](auto& counters) { ++counters.resyncs; });
  discont_ = true;
  timeline_.restart(pts);
  return GST_FLOW_OK;
}

GstFlowReturn LmWorker::step_frame(const std::vector<uint16_t>& codes) {
  const GstClockTime pts = timeline_.next() + shift_;
  timeline_.advance(frame_size());
  const auto column = conversation_->step(codes, backend_.cancellation());
  note_pause(codes, column);
  if (column) return push_column(pts, *column);
  return answering_ ? push_gap(pts, frame_ns()) : GST_FLOW_OK;
}

// A pause is when the user and the model have been silent for a while; a full conversation may start anew.
void LmWorker::note_pause(const std::vector<uint16_t>& codes, const std::optional<Column>& column) {
  const moshi::LmInfo& lm = backend_.context().lm();
  const bool user_quiet = !silence_.empty() && codes.front() == silence_.front();
  const bool model_quiet =
      column && (column->text == lm.text_padding_id || column->text == lm.text_end_padding_id);
  quiet_ = user_quiet && model_quiet ? quiet_ + 1 : 0;
  if (policy_.context != ContextPolicy::RestartInSilence || !conversation_->full() ||
      static_cast<GstClockTime>(quiet_) * frame_ns() < pause) {
    return;
  }
  GST_INFO_OBJECT(element_, "the context is full: the conversation starts anew in a pause");
  conversation_->restart();
  quiet_ = 0;
  backend_.figures().change([](auto& counters) { ++counters.restarts; });
}

GstFlowReturn LmWorker::push_gap(GstClockTime pts, GstClockTime duration) {
  gst_pad_push_event(srcpad_, gst_event_new_gap(pts, duration));
  if (const auto output = text()) output->push_text(pts, duration, "");
  return GST_FLOW_OK;
}

GstFlowReturn LmWorker::push_column(GstClockTime pts, const Column& column) {
  answering_ = true;
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
    // While a slow device still hears what was said some time ago, nobody waits for what it says meanwhile.
    if (!in_time_ && backend_.lateness(segment_, pts) > 0) {
      GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DECODE_ONLY);
    }
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
