// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the three elements have in common: the properties that name the model, its context, loading it,
// waits that can be broken off, and figures.
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "budget.h"
#include "figures.h"
#include "loader.h"

namespace gstmoshi {

/// Ids of the common properties; an element's own begin at `PROP_OWN`.
enum : guint {
  PROP_MODEL = 1,
  PROP_DEVICE,
  PROP_CONTEXT_ID,
  PROP_THREADS,
  PROP_GRAPHS,
  PROP_LATENCY,
  PROP_STATS,
  PROP_OWN
};

class Backend {
 public:
  /// Loads what the element needs of its context.
  using Load = std::function<void(moshi::ExecutionContext&, const moshi::ProgressHandler&,
                                  const moshi::Cancellation&)>;
  /// Tells the base class the element's latency in nanoseconds; it posts the LATENCY message.
  using SetLatency = std::function<void(GstClockTime budget)>;

  /// What an element's part of a frame takes: until it is measured, and which figure of a context says it.
  struct Part {
    unsigned assumed_ms;
    double moshi::FrameFigures::*p99;
  };

  Backend(GstElement* element, Part part, SetLatency set_latency);

  /// Installs the common properties.
  static void install_properties(GObjectClass* object_class);
  /// Both return false for an id that is not a common one.
  bool set_property(guint id, const GValue* value);
  bool get_property(guint id, GValue* value) const;
  /// The element's set_context vfunc.
  void set_context(GstContext* context);

  /// NULL to READY: finds the context and starts loading `what` of it. Throws where the model or the
  /// device cannot be had.
  void open(const char* what, Load load);
  /// READY to NULL: ends loading, lets go of the context.
  void close();
  /// Breaks off every wait, now and until rearm().
  void unblock();
  void rearm();
  /// Waits until the model is loaded; see Loader::wait().
  GstFlowReturn wait_loaded();

  /// The context, for the stream's threads: it stays from open() to close().
  [[nodiscard]] moshi::ExecutionContext& context() const { return *context_; }
  /// The same for threads that do not belong to the stream; null when closed.
  [[nodiscard]] std::shared_ptr<moshi::ExecutionContext> find_context() const;
  [[nodiscard]] const moshi::Cancellation* cancellation() const { return &cancellation_; }
  /// The time a frame may take here, which is the element's latency.
  [[nodiscard]] GstClockTime budget() const { return budget_.time(); }
  /// Frames will wait so long before they are computed, as has been told: that is declared, too, and late
  /// frames are only counted. 0: they will not.
  void expect_waiting(GstClockTime time);
  Figures& figures() { return figures_; }

  /// A session is open, whose frames take `delay_ms` longer than the context says: its figures are reported
  /// from now on.
  void attach(Figures::SessionStats session, unsigned delay_ms = 0);

  /// Remembers what a LATENCY query says of the way from the source to the element's output.
  void note_latency(GstQuery* query);
  [[nodiscard]] bool live() const { return live_; }
  /// How long ago a frame should have left the element: 0 in time, and where nothing is live.
  [[nodiscard]] GstClockTimeDiff lateness(const GstSegment& segment, GstClockTime pts) const;
  /// Called with each output frame of a live stream: counts the late ones, and once per new maximum
  /// (a tenth more than the last one reported) posts a warning, whose details are the figures, and a QOS
  /// message. Declares another latency where frames have come to take another time.
  void check_late(const GstSegment& segment, GstClockTime pts, GstClockTime duration);
  /// Posts a QOS message about a frame that is `jitter` late or dropped.
  void post_qos(const GstSegment& segment, GstClockTime pts, GstClockTime duration, GstClockTimeDiff jitter);
  /// Forgets figures and lateness: a new stream begins.
  void start();

 private:
  [[nodiscard]] moshi::ContextOptions options() const;
  [[nodiscard]] GstStructure* stats() const;
  /// Declares what frames have been found to take.
  void follow_steps();
  void declare(double p99_ms);

  GstElement* element_;
  Part part_;
  SetLatency set_latency_;
  // Settings, under the object lock.
  std::string model_;
  bool model_set_ = false;
  std::string device_ = "auto";
  std::string context_id_;
  int threads_ = 1;
  bool graphs_ = true;
  std::optional<moshi::ContextOptions> injected_;  // The application's, for elements without a model.
  Budget budget_;

  std::shared_ptr<moshi::ExecutionContext> context_;  // Changed under the object lock.
  Loader loader_;
  moshi::Cancellation cancellation_;
  Figures figures_;
  std::atomic<bool> live_ = false;
  std::atomic<GstClockTime> total_latency_ = 0;
  bool waiting_ = false;
  GstClockTimeDiff reported_late_ = 0;
  unsigned live_frames_ = 0;  // Since start().
  unsigned delay_ms_ = 0;     // Of each frame, beside what the context's take.
};

/// Whether the stream arriving at `sinkpad` is live, and its least latency.
struct UpstreamLatency {
  bool live = false;
  GstClockTime minimum = 0;
};
UpstreamLatency query_upstream_latency(GstPad* sinkpad);

}  // namespace gstmoshi
