// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// moshilm's own properties.
#pragma once

#include <gst/gst.h>
#include <moshi/moshi.h>

#include "lm_types.h"
#include "lm_worker.h"

namespace gstmoshi {

class LmProperties {
 public:
  explicit LmProperties(GstElement* element) : element_(element) {}
  ~LmProperties();
  LmProperties(const LmProperties&) = delete;
  LmProperties& operator=(const LmProperties&) = delete;

  static void install(GObjectClass* object_class);
  /// Both return false for an id that is not one of these.
  bool set(guint id, const GValue* value);
  bool get(guint id, GValue* value) const;

  [[nodiscard]] moshi::LmOptions load_options() const;
  /// The model's own sampling settings, but where a property is set.
  [[nodiscard]] LmSettings settings(const moshi::LmInfo& lm) const;
  [[nodiscard]] LatePolicy late_policy() const;
  [[nodiscard]] size_t max_backlog() const;
  [[nodiscard]] LivePolicy live_policy() const;

 private:
  [[nodiscard]] moshi::Conditions conditions() const;

  GstElement* element_;
  // Under the object lock. A negative number means: as the model says.
  float text_temperature_ = -1;
  int text_top_k_ = -1;
  float audio_temperature_ = -1;
  int audio_top_k_ = -1;
  float cfg_coef_ = -1;
  bool greedy_ = false;
  guint64 seed_ = 0;
  moshi::Precision precision_ = moshi::Precision::Auto;
  moshi::KvPrecision kv_precision_ = moshi::KvPrecision::Auto;
  GstStructure* conditions_ = nullptr;
  FirstFrame first_frame_ = FirstFrame::Repeat;
  LatePolicy late_policy_ = LatePolicy::CatchUp;
  guint max_backlog_ = 12;
  LivePolicy live_policy_;
  int max_sessions_ = 0;
  bool allow_slow_ = false;
  guint step_delay_ = 0;
};

}  // namespace gstmoshi
