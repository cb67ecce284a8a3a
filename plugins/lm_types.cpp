// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm_types.h"

#include <moshi/moshi.h>

namespace gstmoshi {
namespace {

GType register_enum(const char* name, const GEnumValue* values) {
  const GType type = g_enum_register_static(name, values);
  gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
  return type;
}

}  // namespace

GType precision_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(moshi::Precision::Auto), "bfloat16 on CUDA, 32-bit float on the CPU", "auto"},
      {static_cast<gint>(moshi::Precision::F32), "32-bit float", "f32"},
      {static_cast<gint>(moshi::Precision::BF16), "bfloat16", "bf16"},
      {static_cast<gint>(moshi::Precision::Int8), "8-bit integer weights", "int8"},
      {0, nullptr, nullptr}};
  static const GType type = register_enum("GstMoshiPrecision", values);
  return type;
}

GType kv_precision_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(moshi::KvPrecision::Auto), "As they are computed", "auto"},
      {static_cast<gint>(moshi::KvPrecision::Int8), "8-bit integers, half the memory", "int8"},
      {0, nullptr, nullptr}};
  static const GType type = register_enum("GstMoshiKvPrecision", values);
  return type;
}

GType first_frame_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(FirstFrame::Repeat), "Step the first frame twice, so that no input is lost",
       "repeat"},
      {static_cast<gint>(FirstFrame::Skip), "The model does not hear the first frame", "skip"},
      {0, nullptr, nullptr}};
  static const GType type = register_enum("GstMoshiFirstFrame", values);
  return type;
}

GType context_policy_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(ContextPolicy::Ring), "Go on with the newest part of the conversation", "ring"},
      {static_cast<gint>(ContextPolicy::RestartInSilence), "Once the context is full, start anew in a pause",
       "restart-in-silence"},
      {0, nullptr, nullptr}};
  static const GType type = register_enum("GstMoshiContextPolicy", values);
  return type;
}

GType late_policy_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(LatePolicy::CatchUp), "Step waiting frames fast, drop some beyond max-backlog",
       "catch-up"},
      {static_cast<gint>(LatePolicy::DropUser), "Drop frames as soon as more than one waits", "drop-user"},
      {static_cast<gint>(LatePolicy::Block), "Let upstream wait", "block"},
      {0, nullptr, nullptr}};
  static const GType type = register_enum("GstMoshiLatePolicy", values);
  return type;
}

}  // namespace gstmoshi
