// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "loader.h"

#include "guarded.h"

namespace gstmoshi {

void Loader::start(const std::string& text, Work work) {
  cancel();
  cancellation_.reset();
  {
    const std::lock_guard lock(mutex_);
    state_ = State::Loading;
  }
  thread_ = std::thread([this, text, work = std::move(work)] { run(text, work); });
}

void Loader::cancel() {
  cancellation_.cancel();
  if (thread_.joinable()) thread_.join();
}

GstFlowReturn Loader::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return interrupted_ || state_ != State::Loading; });
  if (interrupted_) return GST_FLOW_FLUSHING;
  return state_ == State::Loaded ? GST_FLOW_OK : GST_FLOW_ERROR;
}

void Loader::interrupt(bool on) {
  const std::lock_guard lock(mutex_);
  interrupted_ = on;
  changed_.notify_all();
}

void Loader::run(const std::string& text, const Work& work) {
  post(GST_PROGRESS_TYPE_START, text);
  int reported = 0;
  const auto progress = [&](double fraction) {
    const int percent = static_cast<int>(fraction * 10) * 10;
    if (percent <= reported) return;
    reported = percent;
    post(GST_PROGRESS_TYPE_CONTINUE, text + ": " + std::to_string(percent) + " %");
  };
  try {
    work(progress, cancellation_);
    post(GST_PROGRESS_TYPE_COMPLETE, text);
    finish(State::Loaded);
  } catch (...) {
    const bool failed = report_exception(element_);
    post(failed ? GST_PROGRESS_TYPE_ERROR : GST_PROGRESS_TYPE_CANCELED, text);
    finish(State::Failed);
  }
}

void Loader::finish(State state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  changed_.notify_all();
}

void Loader::post(GstProgressType type, const std::string& text) {
  gst_element_post_message(element_,
                           gst_message_new_progress(GST_OBJECT(element_), type, "load", text.c_str()));
}

}  // namespace gstmoshi
