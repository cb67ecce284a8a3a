// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "backend.h"
#include "conversation.h"
#include "input_queue.h"
#include "mimi_caps.h"
#include "text_output.h"
#include "timeline.h"

namespace gstmoshi {

/// What a conversation is opened with; read when it begins.
struct LmSettings {
  moshi::Sampling sampling;
  moshi::Conditions conditions;
  FirstFrame first_frame = FirstFrame::Repeat;
  bool allow_slow = false;
  unsigned step_delay = 0;  // Milliseconds.
};

/// moshilm's work between its sink pad and its source pads. The sink pad's functions call the upper half;
/// step() is the source pad's task.
class LmWorker {
 public:
  LmWorker(Backend& backend, GstElement* element, GstPad* sinkpad, GstPad* srcpad);

  /// Adds a frame of `codes`; reports what the late policy drops.
  GstFlowReturn chain(GstBuffer* buffer, LatePolicy policy, size_t max_backlog);
  /// Takes fixed caps of the input. Throws OutOfRange where they do not fit the model.
  void set_input(const GstCaps* caps);
  /// Queues a serialized event; takes it.
  bool queue_event(GstEvent* event);
  /// What upstream says of its latency.
  void set_upstream(const UpstreamLatency& upstream);

  InputQueue& queue() { return queue_; }
  /// Replaces the text output; nullptr: none.
  void set_text(std::shared_ptr<TextOutput> text);
  /// The next conversation is opened with these.
  void set_settings(LmSettings settings);
  /// Ticks of the clock feed silence to a starved live conversation only while playing.
  void set_playing(bool playing);
  /// The next frame begins a new stream. Call it while the task does not run.
  void forget_stream();
  /// Lets go of the conversation. Call it while the task does not run.
  void close();

  /// One round of the task: waits for an item and pushes what comes of it. False: the task shall pause.
  bool step(const LivePolicy& policy);

 private:
  GstFlowReturn handle_frame(const UserFrame& frame);
  GstFlowReturn handle_jump(GstClockTimeDiff jump, GstClockTime pts);
  GstFlowReturn step_frame(const std::vector<uint16_t>& codes);
  GstFlowReturn handle_event(GstEvent* event);
  GstFlowReturn handle_gap(GstEvent* event);
  GstFlowReturn handle_silence();
  GstFlowReturn handle_end_of_input();
  GstFlowReturn open_conversation();
  GstFlowReturn push_column(GstClockTime pts, const Column& column);
  GstFlowReturn push_gap(GstClockTime pts, GstClockTime duration);
  GstFlowReturn conceal();
  void note_arrival(const UserFrame& frame, GstClockTime pts);
  void note_too_late(const UserFrame& frame);
  void note_pause(const std::vector<uint16_t>& codes, const std::optional<Column>& column);
  GstFlowReturn finish(GstFlowReturn flow);
  [[nodiscard]] GstClockTime silence_deadline(GstClock* clock) const;
  [[nodiscard]] std::shared_ptr<TextOutput> text();
  [[nodiscard]] GstClockTime frame_ns() const;
  [[nodiscard]] guint64 frame_size() const;

  Backend& backend_;
  GstElement* element_;
  GstPad* sinkpad_;
  GstPad* srcpad_;
  InputQueue queue_;
  std::atomic<bool> live_ = false;
  std::atomic<GstClockTime> upstream_latency_ = 0;
  std::atomic<bool> latency_known_ = false;
  std::atomic<bool> playing_ = false;

  std::mutex mutex_;
  LmSettings settings_;  // Under the mutex, as the next.
  std::shared_ptr<TextOutput> text_;

  // Of the sink pad's thread.
  MimiStream input_;

  // Of the task.
  LivePolicy policy_;
  std::unique_ptr<Conversation> conversation_;
  std::vector<uint16_t> silence_;  // Codes of silence; known for live streams.
  int quiet_ = 0;                  // Frames for which neither side has spoken.
  bool in_time_ = true;            // The device keeps up with a live conversation.
  bool answering_ = false;         // Output has begun: from now on every frame of time is accounted for.
  GstSegment segment_;
  Timeline timeline_;       // Of the input.
  GstClockTime delay_ = 0;  // From a frame's time to its arrival, lately.
  GstClockTime shift_ = 0;  // Of the output against the input: time of end marks.
  bool discont_ = true;
  std::shared_ptr<TextOutput> text_started_;  // Has this segment.
};

}  // namespace gstmoshi
