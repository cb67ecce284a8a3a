// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "text_output.h"

#include <utility>

namespace gstmoshi {

TextOutput::TextOutput(GstElement* element, GstPad* pad) : pad_(pad) {
  gchar* id = gst_pad_create_stream_id(pad, element, "text");
  stream_id_ = id;
  g_free(id);
  gst_pad_set_element_private(pad, this);
  gst_pad_set_activatemode_function(pad, activate);
}

gboolean TextOutput::activate(GstPad* pad, GstObject* /*parent*/, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  auto* self = static_cast<TextOutput*>(gst_pad_get_element_private(pad));
  if (active) {
    self->start();
    return TRUE;
  }
  self->set_flushing(true);
  return gst_pad_stop_task(pad);
}

void TextOutput::start() {
  set_flushing(false);
  gst_pad_start_task(pad_, loop, this, nullptr);
}

void TextOutput::push_segment(const GstSegment& segment) {
  bool started = false;
  {
    const std::lock_guard lock(mutex_);
    started = std::exchange(started_, true);
  }
  if (!started) {
    push_event(gst_event_new_stream_start(stream_id_.c_str()));
    GstCaps* caps = gst_caps_new_simple("text/x-raw", "format", G_TYPE_STRING, "utf8", nullptr);
    push_event(gst_event_new_caps(caps));
    gst_caps_unref(caps);
  }
  push_event(gst_event_new_segment(&segment));
}

void TextOutput::push_text(GstClockTime pts, GstClockTime duration, const std::string& text,
                           bool word_start) {
  const std::lock_guard lock(mutex_);
  if (flushing_) return;
  Piece* last = items_.empty() ? nullptr : std::get_if<Piece>(&items_.back());
  if (text.empty() && !word_start && last != nullptr && last->text.empty() &&
      last->pts + last->duration == pts) {
    last->duration += duration;
  } else {
    items_.emplace_back(Piece{pts, duration, text, word_start});
  }
  changed_.notify_all();
}

void TextOutput::push_eos() { push_event(gst_event_new_eos()); }

void TextOutput::push_event(GstEvent* event) {
  EventPtr owned(event);
  const std::lock_guard lock(mutex_);
  if (flushing_) return;
  items_.emplace_back(std::move(owned));
  changed_.notify_all();
}

void TextOutput::set_flushing(bool flushing) {
  const std::lock_guard lock(mutex_);
  flushing_ = flushing;
  started_ = false;
  items_.clear();
  changed_.notify_all();
}

void TextOutput::loop(gpointer output) {
  auto* self = static_cast<TextOutput*>(output);
  Item item;
  {
    std::unique_lock lock(self->mutex_);
    self->changed_.wait(lock, [self] { return self->flushing_ || !self->items_.empty(); });
    if (self->flushing_) {
      gst_pad_pause_task(self->pad_);
      return;
    }
    item = std::move(self->items_.front());
    self->items_.pop_front();
  }
  self->push_item(item);
}

// What downstream answers is its own affair: text never stops the audio.
void TextOutput::push_item(const Item& item) {
  if (const auto* event = std::get_if<EventPtr>(&item)) {
    gst_pad_push_event(pad_, gst_event_ref(event->get()));
    return;
  }
  const auto& piece = std::get<Piece>(item);
  if (piece.text.empty()) {
    GstEvent* gap = gst_event_new_gap(piece.pts, piece.duration);
    if (piece.word_start) {
      gst_structure_set(gst_event_writable_structure(gap), "word-start", G_TYPE_BOOLEAN, TRUE, nullptr);
    }
    gst_pad_push_event(pad_, gap);
    return;
  }
  GstBuffer* buffer = gst_buffer_new_memdup(piece.text.data(), piece.text.size());
  GST_BUFFER_PTS(buffer) = piece.pts;
  GST_BUFFER_DURATION(buffer) = piece.duration;
  gst_pad_push(pad_, buffer);
}

}  // namespace gstmoshi
