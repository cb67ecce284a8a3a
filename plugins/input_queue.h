// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "lm_types.h"

namespace gstmoshi {

struct EventUnref {
  void operator()(GstEvent* event) const { gst_event_unref(event); }
};
using EventPtr = std::unique_ptr<GstEvent, EventUnref>;

/// One frame of user codes.
struct UserFrame {
  std::vector<uint16_t> codes;
  GstClockTime pts = GST_CLOCK_TIME_NONE;
  GstClockTime arrival = GST_CLOCK_TIME_NONE;  ///< Running time at which it came; none without a clock.
  bool quiet = false;                          ///< Nobody speaks in it.
  bool dropped = false;                        ///< Only its time is left.
};

/// What the sink pad hands to the source pad's task: frames and serialized events in order.
class InputQueue {
 public:
  using Item = std::variant<UserFrame, EventPtr>;
  enum class Wake { Item, Tick, Flushing };
  struct Limits {
    bool live = false;  ///< Offline streams always wait, whatever the policy.
    LatePolicy policy = LatePolicy::CatchUp;
    size_t max_backlog = 1;  ///< Frames that may wait.
  };

  /// Adds a frame. OK, or the flow the task ended with, or FLUSHING. `dropped` becomes the time stamps of the
  /// frames dropped for it.
  GstFlowReturn push(UserFrame frame, const Limits& limits, std::vector<GstClockTime>* dropped);
  /// Adds an event; false when flushing.
  bool push(EventPtr event);
  /// Waits for an item, or until `deadline` on `clock` (GST_CLOCK_TIME_NONE: without one).
  Wake pop(Item* item, GstClock* clock, GstClockTime deadline);
  /// Wakes everybody and refuses items until called with false; both empty the queue.
  void set_flushing(bool flushing);
  /// The task ended: chain functions return `flow` from now on until set_flushing().
  void end(GstFlowReturn flow);
  /// Wakes pop() to compute a new deadline.
  void nudge();
  /// Codes that mean silence.
  void set_silence(std::vector<uint16_t> codes);
  [[nodiscard]] size_t backlog() const;

 private:
  static gboolean clock_ticked(GstClock* clock, GstClockTime time, GstClockID id, gpointer queue);
  /// Whether a frame with this first code is silence, or a sound that lasts like no speech.
  bool is_quiet(uint16_t code);
  /// Makes room for a frame; appends the time stamps of those dropped.
  void drop(std::vector<GstClockTime>* dropped);

  // Shared with clock callbacks that may outlive a wait.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool ticked = false;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::deque<Item> items_;
  size_t frames_ = 0;
  bool flushing_ = true;
  GstFlowReturn flow_ = GST_FLOW_OK;
  std::vector<uint16_t> silence_;
  uint16_t last_code_ = 0;
  int repeats_ = 0;  // Of it, up to the last frame.
};

}  // namespace gstmoshi
