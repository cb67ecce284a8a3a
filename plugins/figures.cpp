// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "figures.h"

namespace gstmoshi {

void Figures::reset() {
  const std::lock_guard lock(mutex_);
  counters_ = {};
  last_ = {};
}

Figures::Counters Figures::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Figures::attach(SessionStats session) {
  const std::lock_guard lock(mutex_);
  session_ = std::move(session);
}

void Figures::detach() {
  const std::lock_guard lock(mutex_);
  if (session_) last_ = session_();
  session_ = nullptr;
}

moshi::SessionStats Figures::steps() const {
  const std::lock_guard lock(mutex_);
  return session_ ? session_() : last_;
}

void Figures::set_context(const moshi::ContextStats& context) {
  const std::lock_guard lock(mutex_);
  device_ = context.device;
  precision_ = context.precision;
  graphs_ = context.graphs;
}

GstStructure* Figures::structure(const char* name, unsigned latency_ms) const {
  const std::lock_guard lock(mutex_);
  const moshi::SessionStats steps = session_ ? session_() : last_;
  return gst_structure_new(
      name, "frames-in", G_TYPE_UINT64, counters_.frames_in, "frames-out", G_TYPE_UINT64,
      counters_.frames_out, "frames-dropped", G_TYPE_UINT64, counters_.frames_dropped, "frames-concealed",
      G_TYPE_UINT64, counters_.frames_concealed, "frames-late", G_TYPE_UINT64, counters_.frames_late,
      "frames-too-late", G_TYPE_UINT64, counters_.frames_too_late, "restarts", G_TYPE_UINT64,
      counters_.restarts, "resyncs", G_TYPE_UINT64, counters_.resyncs, "backlog", G_TYPE_UINT64,
      counters_.backlog, "step-ms-p50", G_TYPE_DOUBLE, steps.step_ms_p50, "step-ms-p99", G_TYPE_DOUBLE,
      steps.step_ms_p99, "step-ms-max", G_TYPE_DOUBLE, steps.step_ms_max, "batch-mean", G_TYPE_DOUBLE,
      steps.batch_mean, "latency-ms", G_TYPE_UINT, latency_ms, "device", G_TYPE_STRING, device_.c_str(),
      "precision", G_TYPE_STRING, precision_.c_str(), "graphs", G_TYPE_BOOLEAN,
      static_cast<gboolean>(graphs_), nullptr);
}

}  // namespace gstmoshi
