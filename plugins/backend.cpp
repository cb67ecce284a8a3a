// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "backend.h"

#include <moshi/gst_context.h>

#include <algorithm>

#include "object_lock.h"

namespace gstmoshi {
namespace {

std::string string_of(const GValue* value) {
  const char* text = g_value_get_string(value);
  return text == nullptr ? "" : text;
}

std::string field(const GstStructure* structure, const char* name) {
  const char* text = gst_structure_get_string(structure, name);
  return text == nullptr ? "" : text;
}

// Live frames between two looks at what frames take: two seconds.
constexpr unsigned frames_between_looks = 25;

}  // namespace

Backend::Backend(GstElement* element, Part part, SetLatency set_latency)
    : element_(element),
      part_(part),
      set_latency_(std::move(set_latency)),
      budget_(part.assumed_ms),
      loader_(element) {}

void Backend::install_properties(GObjectClass* object_class) {
  const auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_property(
      object_class, PROP_MODEL,
      g_param_spec_string("model", "Model",
                          "Checkpoint: a directory or a Hugging Face id in the local cache; unset: the "
                          "application's context, else the embedded model. Takes effect in NULL",
                          nullptr, flags));
  g_object_class_install_property(
      object_class, PROP_DEVICE,
      g_param_spec_string("device", "Device", "auto, cpu, cuda or cuda:N. Takes effect in NULL", "auto",
                          flags));
  g_object_class_install_property(
      object_class, PROP_CONTEXT_ID,
      g_param_spec_string("context-id", "Context id",
                          "Elements of one model and device share one copy of it unless their ids differ. "
                          "Takes effect in NULL",
                          nullptr, flags));
  g_object_class_install_property(
      object_class, PROP_THREADS,
      g_param_spec_int("threads", "Threads",
                       "Computing threads of the engine on the CPU. Takes effect in NULL", 1, G_MAXINT, 1,
                       flags));
  g_object_class_install_property(
      object_class, PROP_GRAPHS,
      g_param_spec_boolean("graphs", "CUDA graphs",
                           "Start the kernels of a frame as CUDA graphs; false: one by one, to look for a "
                           "fault. Takes effect in NULL",
                           TRUE, flags));
  g_object_class_install_property(
      object_class, PROP_LATENCY,
      g_param_spec_int("latency", "Latency budget",
                       "Time in milliseconds a frame may take here; part of the latency of live pipelines, "
                       "later frames are reported; -1: as long as frames are found to take",
                       Budget::automatic, 60000, Budget::automatic,
                       static_cast<GParamFlags>(flags | GST_PARAM_MUTABLE_PLAYING)));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed("stats", "Statistics", "Counters and step times since the element went to PAUSED",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

bool Backend::set_property(guint id, const GValue* value) {
  switch (id) {
    case PROP_MODEL: {
      const ObjectLock lock(element_);
      model_set_ = g_value_get_string(value) != nullptr;
      model_ = string_of(value);
      return true;
    }
    case PROP_DEVICE: {
      const ObjectLock lock(element_);
      device_ = string_of(value);
      return true;
    }
    case PROP_CONTEXT_ID: {
      const ObjectLock lock(element_);
      context_id_ = string_of(value);
      return true;
    }
    case PROP_THREADS: {
      const ObjectLock lock(element_);
      threads_ = g_value_get_int(value);
      return true;
    }
    case PROP_GRAPHS: {
      const ObjectLock lock(element_);
      graphs_ = g_value_get_boolean(value) != FALSE;
      return true;
    }
    case PROP_LATENCY:
      budget_.set(g_value_get_int(value));
      set_latency_(budget());
      return true;
    default:
      return false;
  }
}

bool Backend::get_property(guint id, GValue* value) const {
  switch (id) {
    case PROP_MODEL: {
      const ObjectLock lock(element_);
      g_value_set_string(value, model_set_ ? model_.c_str() : nullptr);
      return true;
    }
    case PROP_DEVICE: {
      const ObjectLock lock(element_);
      g_value_set_string(value, device_.c_str());
      return true;
    }
    case PROP_CONTEXT_ID: {
      const ObjectLock lock(element_);
      g_value_set_string(value, context_id_.empty() ? nullptr : context_id_.c_str());
      return true;
    }
    case PROP_THREADS: {
      const ObjectLock lock(element_);
      g_value_set_int(value, threads_);
      return true;
    }
    case PROP_GRAPHS: {
      const ObjectLock lock(element_);
      g_value_set_boolean(value, static_cast<gboolean>(graphs_));
      return true;
    }
    case PROP_LATENCY:
      g_value_set_int(value, budget_.property());
      return true;
    case PROP_STATS:
      g_value_take_boxed(value, stats());
      return true;
    default:
      return false;
  }
}

GstStructure* Backend::stats() const {
  const GstElementFactory* factory = gst_element_get_factory(element_);
  const std::string name = std::string("application/x-") + GST_OBJECT_NAME(factory) + "-stats";
  GstStructure* stats = figures_.structure(name.c_str(), budget_.milliseconds());
  const auto context = find_context();
  const moshi::FrameFigures frames = context ? context->frame_figures() : moshi::FrameFigures{};
  gst_structure_set(stats, "frame-ms-p50", G_TYPE_DOUBLE, frames.frame_ms_p50, "frame-ms-p99", G_TYPE_DOUBLE,
                    frames.frame_ms_p99, "callers", G_TYPE_INT, frames.callers, nullptr);
  return stats;
}

void Backend::set_context(GstContext* context) {
  if (context == nullptr || !gst_context_has_context_type(context, moshi::gst_context_type)) return;
  const GstStructure* structure = gst_context_get_structure(context);
  moshi::ContextOptions options;
  options.model = field(structure, "model");
  if (const std::string device = field(structure, "device"); !device.empty()) options.device = device;
  options.context_id = field(structure, "context-id");
  gst_structure_get_int(structure, "threads", &options.threads);
  if (gboolean graphs = TRUE; gst_structure_get_boolean(structure, "graphs", &graphs)) {
    options.graphs = graphs != FALSE;
  }
  const ObjectLock lock(element_);
  injected_ = options;
}

moshi::ContextOptions Backend::options() const {
  const ObjectLock lock(element_);
  if (!model_set_ && injected_) return *injected_;
  moshi::ContextOptions options;
  options.model = model_;
  options.device = device_;
  options.context_id = context_id_;
  options.threads = threads_;
  options.graphs = graphs_;
  return options;
}

void Backend::open(const char* what, Load load) {
  bool ask = false;
  {
    const ObjectLock lock(element_);
    ask = !model_set_ && !injected_;
  }
  if (ask)
    gst_element_post_message(element_,
                             gst_message_new_need_context(GST_OBJECT(element_), moshi::gst_context_type));

  auto context = moshi::ExecutionContext::acquire(options());
  {
    const ObjectLock lock(element_);
    context_ = std::move(context);
  }
  loader_.start(std::string("Loading the ") + what + " of " + context_->model(),
                [context = context_, load = std::move(load)](const moshi::ProgressHandler& progress,
                                                             const moshi::Cancellation& cancel) {
                  load(*context, progress, cancel);
                });
}

void Backend::close() {
  loader_.cancel();
  std::shared_ptr<moshi::ExecutionContext> context;  // Freed outside of the lock.
  const ObjectLock lock(element_);
  context.swap(context_);
}

std::shared_ptr<moshi::ExecutionContext> Backend::find_context() const {
  const ObjectLock lock(element_);
  return context_;
}

void Backend::unblock() {
  cancellation_.cancel();
  loader_.interrupt(true);
}

void Backend::rearm() {
  cancellation_.reset();
  loader_.interrupt(false);
}

GstFlowReturn Backend::wait_loaded() { return loader_.wait(); }

void Backend::attach(Figures::SessionStats session, unsigned delay_ms) {
  figures_.set_context(context_->stats());
  figures_.attach(std::move(session));
  delay_ms_ = delay_ms;
  follow_steps();
}

void Backend::follow_steps() {
  // Of fewer, the longest would decide: until then what the context found holds.
  constexpr uint64_t enough_frames = 100;
  const moshi::SessionStats steps = figures_.steps();
  const double found = context_->frame_figures().*part_.p99;
  if (steps.frames >= enough_frames) {
    declare(steps.step_ms_p99);
  } else if (found > 0) {
    declare(found + delay_ms_);
  }
}

void Backend::declare(double p99_ms) {
  if (!budget_.measure(p99_ms)) return;
  GST_INFO_OBJECT(element_, "frames take %.1f ms (p99), latency %u ms", p99_ms, budget_.milliseconds());
  set_latency_(budget());
}

void Backend::expect_waiting(GstClockTime time) {
  waiting_ = time > 0;
  const GstClockTime before = budget();
  budget_.set_waiting(static_cast<unsigned>(time / GST_MSECOND));
  if (budget() != before) set_latency_(budget());
}

void Backend::start() {
  figures_.reset();
  reported_late_ = 0;
  live_frames_ = 0;
  rearm();
}

void Backend::note_latency(GstQuery* query) {
  gboolean live = FALSE;
  GstClockTime minimum = 0;
  gst_query_parse_latency(query, &live, &minimum, nullptr);
  live_ = live != FALSE;
  total_latency_ = minimum;
}

GstClockTimeDiff Backend::lateness(const GstSegment& segment, GstClockTime pts) const {
  if (!live_) return 0;
  const GstClockTime running = gst_segment_to_running_time(&segment, GST_FORMAT_TIME, pts);
  GstClock* clock = gst_element_get_clock(element_);
  if (clock == nullptr) return 0;
  const GstClockTime now = gst_clock_get_time(clock);
  gst_object_unref(clock);
  const GstClockTime base_time = gst_element_get_base_time(element_);
  if (!GST_CLOCK_TIME_IS_VALID(running) || !GST_CLOCK_TIME_IS_VALID(base_time)) return 0;
  return std::max<GstClockTimeDiff>(GST_CLOCK_DIFF(base_time + running + total_latency_, now), 0);
}

void Backend::check_late(const GstSegment& segment, GstClockTime pts, GstClockTime duration) {
  if (live_ && ++live_frames_ % frames_between_looks == 0) follow_steps();
  const GstClockTimeDiff late = lateness(segment, pts);
  if (late == 0) return;
  figures_.change([](auto& counters) { ++counters.frames_late; });
  if (waiting_ || late <= reported_late_ + reported_late_ / 10) return;
  reported_late_ = late;
  const auto late_ms = static_cast<guint64>(late) / GST_MSECOND;
  const auto counters = figures_.counters();
  GST_ELEMENT_WARNING_WITH_DETAILS(
      element_, CORE, CLOCK,
      ("frames are up to %" G_GUINT64_FORMAT
       " ms late: use a faster device or a smaller model, or raise `latency` (now %u ms)",
       late_ms, budget_.milliseconds()),
      (nullptr),
      ("late-ms", G_TYPE_UINT64, late_ms, "latency-ms", G_TYPE_UINT, budget_.milliseconds(), "frames-late",
       G_TYPE_UINT64, counters.frames_late, "frames-dropped", G_TYPE_UINT64, counters.frames_dropped,
       "backlog", G_TYPE_UINT64, counters.backlog, nullptr));
  post_qos(segment, pts, duration, late);
}

void Backend::post_qos(const GstSegment& segment, GstClockTime pts, GstClockTime duration,
                       GstClockTimeDiff jitter) {
  const auto counters = figures_.counters();
  GstMessage* message = gst_message_new_qos(
      GST_OBJECT(element_), live_, gst_segment_to_running_time(&segment, GST_FORMAT_TIME, pts),
      gst_segment_to_stream_time(&segment, GST_FORMAT_TIME, pts), pts, duration);
  gst_message_set_qos_values(message, jitter, 1.0, 1000000);
  gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, counters.frames_out, counters.frames_dropped);
  gst_element_post_message(element_, message);
}

UpstreamLatency query_upstream_latency(GstPad* sinkpad) {
  UpstreamLatency result;
  GstQuery* query = gst_query_new_latency();
  if (gst_pad_peer_query(sinkpad, query)) {
    gboolean live = FALSE;
    gst_query_parse_latency(query, &live, &result.minimum, nullptr);
    result.live = live != FALSE;
  }
  gst_query_unref(query);
  return result;
}

}  // namespace gstmoshi
