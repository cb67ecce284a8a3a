// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "input_queue.h"

#include <utility>

namespace gstmoshi {
namespace {

// Of speech, no frame sounds like so many before it.
constexpr int steady_frames = 4;

}  // namespace

GstFlowReturn InputQueue::push(UserFrame frame, const Limits& limits, std::vector<GstClockTime>* dropped) {
  dropped->clear();
  std::unique_lock lock(shared_->mutex);
  const bool wait = !limits.live || limits.policy == LatePolicy::Block;
  if (wait) {
    shared_->changed.wait(lock,
                          [&] { return flushing_ || flow_ != GST_FLOW_OK || frames_ < limits.max_backlog; });
  }
  if (flushing_) return GST_FLOW_FLUSHING;
  if (flow_ != GST_FLOW_OK) return flow_;
  frame.quiet = is_quiet(frame.codes.front());
  items_.emplace_back(std::move(frame));
  ++frames_;
  const size_t most = limits.policy == LatePolicy::DropUser ? 1 : limits.max_backlog;
  while (!wait && frames_ > most) drop(dropped);
  shared_->changed.notify_all();
  return GST_FLOW_OK;
}

// A codec has more than one code for silence.
bool InputQueue::is_quiet(uint16_t code) {
  repeats_ = code == last_code_ ? repeats_ + 1 : 0;
  last_code_ = code;
  return repeats_ >= steady_frames || (!silence_.empty() && code == silence_.front());
}

// All quiet frames at once, so that words stay whole: the user's, and the model's, who speaks meanwhile and
// whose speech has one long gap instead of many short ones. Where there are none, the oldest frame.
void InputQueue::drop(std::vector<GstClockTime>* dropped) {
  std::vector<UserFrame*> waiting;
  std::vector<UserFrame*> quiet;
  for (auto& item : items_) {
    auto* frame = std::get_if<UserFrame>(&item);
    if (frame == nullptr || frame->dropped) continue;
    waiting.push_back(frame);
    if (frame->quiet) quiet.push_back(frame);
  }
  if (quiet.empty()) quiet.push_back(waiting.front());
  for (UserFrame* frame : quiet) {
    frame->dropped = true;
    dropped->push_back(frame->pts);
  }
  frames_ -= quiet.size();
}

bool InputQueue::push(EventPtr event) {
  const std::lock_guard lock(shared_->mutex);
  if (flushing_) return false;
  items_.emplace_back(std::move(event));
  shared_->changed.notify_all();
  return true;
}

gboolean InputQueue::clock_ticked(GstClock* /*clock*/, GstClockTime /*time*/, GstClockID /*id*/,
                                  gpointer data) {
  auto* shared = static_cast<std::shared_ptr<Shared>*>(data)->get();
  const std::lock_guard lock(shared->mutex);
  shared->ticked = true;
  shared->changed.notify_all();
  return TRUE;
}

InputQueue::Wake InputQueue::pop(Item* item, GstClock* clock, GstClockTime deadline) {
  GstClockID id = nullptr;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->ticked = false;
  }
  if (clock != nullptr && GST_CLOCK_TIME_IS_VALID(deadline)) {
    id = gst_clock_new_single_shot_id(clock, deadline);
    gst_clock_id_wait_async(id, clock_ticked, new std::shared_ptr<Shared>(shared_),
                            [](gpointer data) { delete static_cast<std::shared_ptr<Shared>*>(data); });
  }
  Wake wake = Wake::Flushing;
  {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait(lock, [this] { return flushing_ || !items_.empty() || shared_->ticked; });
    if (!flushing_) wake = items_.empty() ? Wake::Tick : Wake::Item;
    if (wake == Wake::Item) {
      *item = std::move(items_.front());
      items_.pop_front();
      const auto* frame = std::get_if<UserFrame>(item);
      if (frame != nullptr && !frame->dropped) --frames_;
      shared_->changed.notify_all();
    }
  }
  if (id != nullptr) {
    gst_clock_id_unschedule(id);
    gst_clock_id_unref(id);
  }
  return wake;
}

void InputQueue::set_flushing(bool flushing) {
  const std::lock_guard lock(shared_->mutex);
  flushing_ = flushing;
  flow_ = GST_FLOW_OK;
  items_.clear();
  frames_ = 0;
  shared_->changed.notify_all();
}

void InputQueue::end(GstFlowReturn flow) {
  const std::lock_guard lock(shared_->mutex);
  if (flushing_) return;
  flow_ = flow;
  items_.clear();
  frames_ = 0;
  shared_->changed.notify_all();
}

void InputQueue::nudge() {
  const std::lock_guard lock(shared_->mutex);
  shared_->ticked = true;
  shared_->changed.notify_all();
}

void InputQueue::set_silence(std::vector<uint16_t> codes) {
  const std::lock_guard lock(shared_->mutex);
  silence_ = std::move(codes);
}

size_t InputQueue::backlog() const {
  const std::lock_guard lock(shared_->mutex);
  return frames_;
}

}  // namespace gstmoshi
