// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/observe/metrics.h"

#include <prometheus/text_serializer.h>

namespace serve {
namespace {

using Bounds = prometheus::Histogram::BucketBoundaries;

prometheus::Family<prometheus::Counter>& counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& histogram(prometheus::Registry& registry, const char* name, const char* help,
                                 const Bounds& bounds) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, bounds);
}

}  // namespace

Metrics::Metrics(const std::string& version, const std::string& model, double frame_seconds)
    : places_(gauge(registry_, "moshi_slots", "Conversations that may be held at a time")),
      used_(gauge(registry_, "moshi_slots_used", "Conversations under way, and those about to begin")),
      sessions_(counters(registry_, "moshi_sessions_total", "Conversations that are over")),
      rejected_(counters(registry_, "moshi_sessions_rejected_total", "Conversations that did not begin")),
      session_(histogram(registry_, "moshi_session_seconds", "How long conversations took",
                         {1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600})),
      step_(histogram(registry_, "moshi_step_seconds",
                      "How long frames were in the language model, their wait for others included",
                      {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.16})),
      first_audio_(histogram(registry_, "moshi_first_audio_seconds",
                             "From the beginning of conversations to their first speech",
                             {0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30})),
      queue_(histogram(registry_, "moshi_queue_seconds", "How long requests waited for a place",
                       {0.1, 0.5, 1, 2, 5, 10, 30, 60})),
      missed_(
          counters(registry_, "moshi_step_deadline_missed_total", "Frames that took longer than they last")
              .Add({})),
      dropped_(counters(registry_, "moshi_input_dropped_frames_total",
                        "Frames of clients that came too fast, and were left out")
                   .Add({})),
      frame_seconds_(frame_seconds) {
  prometheus::BuildGauge()
      .Name("moshi_build_info")
      .Help("1, with the version and the model as labels")
      .Register(registry_)
      .Add({{"version", version}, {"model", model}})
      .Set(1);
}

void Metrics::ended(const Session& session, double seconds) {
  sessions_.Add({{"transport", session.transport()}, {"result", name_of(session.ending())}}).Increment();
  session_.Observe(seconds);
  dropped_.Increment(static_cast<double>(session.counts().frames_dropped));
}

void Metrics::refused(Reason reason) { rejected_.Add({{"reason", name_of(reason)}}).Increment(); }

void Metrics::step(double seconds) {
  step_.Observe(seconds);
  if (seconds > frame_seconds_) missed_.Increment();
}

std::string Metrics::text(size_t places, size_t used) {
  places_.Set(static_cast<double>(places));
  used_.Set(static_cast<double>(used));
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace serve
