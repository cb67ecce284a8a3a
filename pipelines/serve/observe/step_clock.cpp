// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/observe/step_clock.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "pipeline.h"
#include "serve/clock.h"

namespace serve {
namespace {

/// Frames under way; what comes out carries the time stamp of what went in.
class StepClock {
 public:
  explicit StepClock(Metrics& metrics) : metrics_(metrics) {}

  void in(GstClockTime pts) {
    const std::lock_guard lock(mutex_);
    if (frames_.size() == kMostFrames) frames_.pop_front();  // The model gives no frame for its first ones.
    frames_.push_back({pts, now()});
  }

  void out(GstClockTime pts) {
    const std::lock_guard lock(mutex_);
    const auto frame =
        std::find_if(frames_.begin(), frames_.end(), [pts](const Frame& entry) { return entry.pts == pts; });
    if (frame == frames_.end()) return;
    metrics_.step(now() - frame->time);
    frames_.erase(frames_.begin(), std::next(frame));
  }

 private:
  static constexpr size_t kMostFrames = 64;
  struct Frame {
    GstClockTime pts;
    double time;
  };

  Metrics& metrics_;
  std::mutex mutex_;
  std::deque<Frame> frames_;
};

template <void (StepClock::*Note)(GstClockTime)>
void listen(GstElement* model, const char* pad, const std::shared_ptr<StepClock>& clock) {
  gst_pad_add_probe(
      static_pad(model, pad).get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        (**static_cast<std::shared_ptr<StepClock>*>(data).*Note)(GST_BUFFER_PTS(GST_BUFFER(info->data)));
        return GST_PAD_PROBE_OK;
      },
      new std::shared_ptr<StepClock>(clock),
      [](gpointer data) { delete static_cast<std::shared_ptr<StepClock>*>(data); });
}

}  // namespace

void time_steps(GstElement* model, Metrics& metrics) {
  const auto clock = std::make_shared<StepClock>(metrics);
  listen<&StepClock::in>(model, "sink", clock);
  listen<&StepClock::out>(model, "src", clock);
}

}  // namespace serve
