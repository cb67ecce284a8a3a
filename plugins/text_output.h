// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>

#include "input_queue.h"

namespace gstmoshi {

/// The text pad's side of moshilm: text and events wait here for the pad's own task, so that whatever
/// happens downstream of it never stops the audio.
class TextOutput {
 public:
  /// `pad` stays the element's; its task is started and stopped by its activation.
  TextOutput(GstElement* element, GstPad* pad);
  TextOutput(const TextOutput&) = delete;
  TextOutput& operator=(const TextOutput&) = delete;

  [[nodiscard]] GstPad* pad() const { return pad_; }
  /// The segment everything that follows belongs to.
  void push_segment(const GstSegment& segment);
  /// Text of the column at `pts`; empty text becomes a GAP event, and gaps in a row one event. `word_start`:
  /// the model announced a word here; its GAP event begins here and has a field "word-start".
  void push_text(GstClockTime pts, GstClockTime duration, const std::string& text, bool word_start = false);
  void push_eos();
  /// Starts the task again after a flush.
  void start();
  /// Wakes the task and refuses input until called with false.
  void set_flushing(bool flushing);

 private:
  struct Piece {
    GstClockTime pts;
    GstClockTime duration;
    std::string text;
    bool word_start;
  };
  using Item = std::variant<Piece, EventPtr>;

  static gboolean activate(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active);
  static void loop(gpointer output);
  void push_event(GstEvent* event);
  void push_item(const Item& item);

  GstPad* pad_;
  std::string stream_id_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool flushing_ = true;
  bool started_ = false;
};

}  // namespace gstmoshi
