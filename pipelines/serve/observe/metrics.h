// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What operators count, in the text form of Prometheus.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

#include "serve/http/refusal.h"
#include "serve/session.h"

namespace serve {

/// Any thread may use it.
class Metrics {
 public:
  /// `frame_seconds`: a step that takes longer has missed its deadline.
  Metrics(const std::string& version, const std::string& model, double frame_seconds);

  /// A conversation is over.
  void ended(const Session& session, double seconds);
  void refused(Reason reason);
  /// A request has waited for its place, or in vain.
  void queued(double seconds) { queue_.Observe(seconds); }
  /// From the beginning of a conversation to its first speech.
  void first_audio(double seconds) { first_audio_.Observe(seconds); }
  /// A frame was in the language model, its wait for others included.
  void step(double seconds);

  /// All of it, `places` and `used` as they are now.
  [[nodiscard]] std::string text(size_t places, size_t used);

 private:
  prometheus::Registry registry_;
  prometheus::Gauge& places_;
  prometheus::Gauge& used_;
  prometheus::Family<prometheus::Counter>& sessions_;
  prometheus::Family<prometheus::Counter>& rejected_;
  prometheus::Histogram& session_;
  prometheus::Histogram& step_;
  prometheus::Histogram& first_audio_;
  prometheus::Histogram& queue_;
  prometheus::Counter& missed_;
  prometheus::Counter& dropped_;
  double frame_seconds_;
};

}  // namespace serve
