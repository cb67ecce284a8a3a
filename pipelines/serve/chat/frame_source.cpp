// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/frame_source.h"

#include <utility>

namespace serve {

FrameSource::FrameSource(GstAppSrc* source, int rate, int frame_size, size_t most_waiting)
    : source_(source),
      rate_(rate),
      frame_size_(static_cast<size_t>(frame_size)),
      most_waiting_(most_waiting) {
  GstCaps* caps =
      gst_caps_new_simple("audio/x-raw", "format", G_TYPE_STRING, "F32LE", "layout", G_TYPE_STRING,
                          "interleaved", "channels", G_TYPE_INT, 1, "rate", G_TYPE_INT, rate, nullptr);
  g_object_set(source, "caps", caps, "format", GST_FORMAT_TIME, "max-buffers", guint64{1}, nullptr);
  gst_caps_unref(caps);
  GstAppSrcCallbacks callbacks{};
  callbacks.need_data = need_data;
  gst_app_src_set_callbacks(source, &callbacks, this, nullptr);
}

void FrameSource::add(const std::vector<float>& pcm) {
  part_.insert(part_.end(), pcm.begin(), pcm.end());
  const std::lock_guard lock(mutex_);
  auto begin = part_.begin();
  for (; part_.end() - begin >= static_cast<ptrdiff_t>(frame_size_);
       begin += static_cast<ptrdiff_t>(frame_size_)) {
    if (std::exchange(first_, false)) continue;
    frames_.emplace_back(begin, begin + static_cast<ptrdiff_t>(frame_size_));
  }
  part_.erase(part_.begin(), begin);
  for (; frames_.size() > most_waiting_; ++dropped_) frames_.pop_front();
  if (wanted_) push_next();
}

uint64_t FrameSource::pushed() const {
  const std::lock_guard lock(mutex_);
  return pushed_;
}

uint64_t FrameSource::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void FrameSource::need_data(GstAppSrc*, guint, gpointer self) {
  auto* source = static_cast<FrameSource*>(self);
  const std::lock_guard lock(source->mutex_);
  source->wanted_ = true;
  source->push_next();
}

/// Under the lock.
void FrameSource::push_next() {
  if (frames_.empty()) return;
  const std::vector<float> frame = std::move(frames_.front());
  frames_.pop_front();
  wanted_ = false;
  GstBuffer* buffer = gst_buffer_new_memdup(frame.data(), frame.size() * sizeof(float));
  const auto time = [this](uint64_t frames) {
    return gst_util_uint64_scale(frames * frame_size_, GST_SECOND, static_cast<guint64>(rate_));
  };
  // Time goes on without the frames that were dropped: the model hears no gap.
  GST_BUFFER_PTS(buffer) = time(pushed_);
  GST_BUFFER_DURATION(buffer) = time(pushed_ + 1) - time(pushed_);
  ++pushed_;
  gst_app_src_push_buffer(source_, buffer);
}

}  // namespace serve
