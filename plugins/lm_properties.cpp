// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm_properties.h"

#include "object_lock.h"

namespace gstmoshi {
namespace {

enum : guint {
  PROP_TEXT_TEMPERATURE = PROP_OWN,
  PROP_TEXT_TOP_K,
  PROP_AUDIO_TEMPERATURE,
  PROP_AUDIO_TOP_K,
  PROP_GREEDY,
  PROP_SEED,
  PROP_PRECISION,
  PROP_KV_PRECISION,
  PROP_CFG_COEF,
  PROP_CONDITIONS,
  PROP_FIRST_FRAME,
  PROP_LATE_POLICY,
  PROP_MAX_BACKLOG,
  PROP_STARVATION_TIMEOUT,
  PROP_CONTEXT_POLICY,
  PROP_MAX_SESSIONS,
  PROP_ALLOW_SLOW,
  PROP_STEP_DELAY,
};

constexpr auto flags_null = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
constexpr auto flags_ready = static_cast<GParamFlags>(flags_null | GST_PARAM_MUTABLE_READY);
constexpr auto flags_playing = static_cast<GParamFlags>(flags_null | GST_PARAM_MUTABLE_PLAYING);

GParamSpec* temperature(const char* name, const char* nick, const char* blurb) {
  return g_param_spec_float(name, nick, blurb, -1, 100, -1, flags_ready);
}

GParamSpec* top_k(const char* name, const char* nick, const char* blurb) {
  return g_param_spec_int(name, nick, blurb, -1, G_MAXINT, -1, flags_ready);
}

GParamSpec* enumerated(const char* name, const char* nick, const char* blurb, GType type, gint value,
                       GParamFlags flags) {
  return g_param_spec_enum(name, nick, blurb, type, value, flags);
}

}  // namespace

LmProperties::~LmProperties() {
  if (conditions_ != nullptr) gst_structure_free(conditions_);
}

void LmProperties::install(GObjectClass* object_class) {
  const auto add = [object_class](guint id, GParamSpec* spec) {
    g_object_class_install_property(object_class, id, spec);
  };
  add(PROP_TEXT_TEMPERATURE,
      temperature("text-temperature", "Text temperature",
                  "Temperature of the text tokens; 0: always the likeliest; -1: as the model says"));
  add(PROP_TEXT_TOP_K, top_k("text-top-k", "Text top k",
                             "Likeliest text tokens to choose from; 0: all; -1: as the model says"));
  add(PROP_AUDIO_TEMPERATURE,
      temperature("audio-temperature", "Audio temperature",
                  "Temperature of the codes; 0: always the likeliest; -1: as the model says"));
  add(PROP_AUDIO_TOP_K,
      top_k("audio-top-k", "Audio top k", "Likeliest codes to choose from; 0: all; -1: as the model says"));
  add(PROP_GREEDY,
      g_param_spec_boolean("greedy", "Greedy", "Always choose the likeliest token", FALSE, flags_ready));
  add(PROP_SEED, g_param_spec_uint64("seed", "Seed", "Equal seeds give equal answers; 0: a random one", 0,
                                     G_MAXUINT64, 0, flags_ready));
  add(PROP_PRECISION,
      enumerated("precision", "Precision", "Numeric precision of the language model. Takes effect in NULL",
                 precision_type(), static_cast<gint>(moshi::Precision::Auto), flags_null));
  add(PROP_KV_PRECISION,
      enumerated("kv-precision", "Precision of keys and values",
                 "What conversations are remembered in. Takes effect in NULL", kv_precision_type(),
                 static_cast<gint>(moshi::KvPrecision::Auto), flags_null));
  add(PROP_CFG_COEF,
      g_param_spec_float("cfg-coef", "Guidance",
                         "Coefficient of classifier-free guidance; 1: off; -1: as the model says", -1, 100,
                         -1, flags_ready));
  add(PROP_CONDITIONS, g_param_spec_boxed("conditions", "Conditions",
                                          "Conditions of models that take some, for example "
                                          "\"conditions, description=very_good\"",
                                          GST_TYPE_STRUCTURE, flags_ready));
  add(PROP_FIRST_FRAME,
      enumerated("first-frame", "First frame",
                 "What happens to the first frame, whose codes the model does not hear in its first step",
                 first_frame_type(), static_cast<gint>(FirstFrame::Repeat), flags_ready));
  add(PROP_LATE_POLICY,
      enumerated("late-policy", "Late policy", "What happens to frames of a live stream that have to wait",
                 late_policy_type(), static_cast<gint>(LatePolicy::CatchUp), flags_playing));
  add(PROP_MAX_BACKLOG,
      g_param_spec_uint("max-backlog", "Longest backlog",
                        "Frames that may wait; beyond it those of a live stream are dropped (late-policy)", 1,
                        100000, 12, flags_playing));
  add(PROP_STARVATION_TIMEOUT,
      g_param_spec_uint64("starvation-timeout", "Starvation timeout",
                          "Nanoseconds after its due time at which a missing frame of a live stream is "
                          "replaced by silence; -1: as late as its answer is still in time",
                          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, flags_playing));
  add(PROP_CONTEXT_POLICY,
      enumerated("context-policy", "Context policy",
                 "What happens once the conversation is as long as the model's context",
                 context_policy_type(), static_cast<gint>(ContextPolicy::Ring), flags_playing));
  add(PROP_MAX_SESSIONS,
      g_param_spec_int(
          "max-sessions", "Most sessions",
          "Conversations the model is made ready for; 0: what memory allows. Takes effect in NULL", 0,
          G_MAXINT, 0, flags_null));
  add(PROP_ALLOW_SLOW,
      g_param_spec_boolean("allow-slow", "Allow slow",
                           "Hold live conversations even where a frame takes longer than it lasts, with gaps",
                           FALSE, flags_ready));
  add(PROP_STEP_DELAY,
      g_param_spec_uint("step-delay", "Step delay",
                        "Milliseconds each step takes longer: to test what happens on a slower device", 0,
                        60000, 0, flags_ready));
}

bool LmProperties::set(guint id, const GValue* value) {
  const ObjectLock lock(element_);
  switch (id) {
    case PROP_TEXT_TEMPERATURE:
      text_temperature_ = g_value_get_float(value);
      return true;
    case PROP_TEXT_TOP_K:
      text_top_k_ = g_value_get_int(value);
      return true;
    case PROP_AUDIO_TEMPERATURE:
      audio_temperature_ = g_value_get_float(value);
      return true;
    case PROP_AUDIO_TOP_K:
      audio_top_k_ = g_value_get_int(value);
      return true;
    case PROP_GREEDY:
      greedy_ = g_value_get_boolean(value) != FALSE;
      return true;
    case PROP_SEED:
      seed_ = g_value_get_uint64(value);
      return true;
    case PROP_PRECISION:
      precision_ = static_cast<moshi::Precision>(g_value_get_enum(value));
      return true;
    case PROP_KV_PRECISION:
      kv_precision_ = static_cast<moshi::KvPrecision>(g_value_get_enum(value));
      return true;
    case PROP_CFG_COEF:
      cfg_coef_ = g_value_get_float(value);
      return true;
    case PROP_CONDITIONS:
      if (conditions_ != nullptr) gst_structure_free(conditions_);
      conditions_ = static_cast<GstStructure*>(g_value_dup_boxed(value));
      return true;
    case PROP_FIRST_FRAME:
      first_frame_ = static_cast<FirstFrame>(g_value_get_enum(value));
      return true;
    case PROP_LATE_POLICY:
      late_policy_ = static_cast<LatePolicy>(g_value_get_enum(value));
      return true;
    case PROP_MAX_BACKLOG:
      max_backlog_ = g_value_get_uint(value);
      return true;
    case PROP_STARVATION_TIMEOUT:
      live_policy_.starvation_timeout = g_value_get_uint64(value);
      return true;
    case PROP_CONTEXT_POLICY:
      live_policy_.context = static_cast<ContextPolicy>(g_value_get_enum(value));
      return true;
    case PROP_MAX_SESSIONS:
      max_sessions_ = g_value_get_int(value);
      return true;
    case PROP_ALLOW_SLOW:
      allow_slow_ = g_value_get_boolean(value) != FALSE;
      return true;
    case PROP_STEP_DELAY:
      step_delay_ = g_value_get_uint(value);
      return true;
    default:
      return false;
  }
}

bool LmProperties::get(guint id, GValue* value) const {
  const ObjectLock lock(element_);
  switch (id) {
    case PROP_TEXT_TEMPERATURE:
      g_value_set_float(value, text_temperature_);
      return true;
    case PROP_TEXT_TOP_K:
      g_value_set_int(value, text_top_k_);
      return true;
    case PROP_AUDIO_TEMPERATURE:
      g_value_set_float(value, audio_temperature_);
      return true;
    case PROP_AUDIO_TOP_K:
      g_value_set_int(value, audio_top_k_);
      return true;
    case PROP_GREEDY:
      g_value_set_boolean(value, static_cast<gboolean>(greedy_));
      return true;
    case PROP_SEED:
      g_value_set_uint64(value, seed_);
      return true;
    case PROP_PRECISION:
      g_value_set_enum(value, static_cast<gint>(precision_));
      return true;
    case PROP_KV_PRECISION:
      g_value_set_enum(value, static_cast<gint>(kv_precision_));
      return true;
    case PROP_CFG_COEF:
      g_value_set_float(value, cfg_coef_);
      return true;
    case PROP_CONDITIONS:
      g_value_set_boxed(value, conditions_);
      return true;
    case PROP_FIRST_FRAME:
      g_value_set_enum(value, static_cast<gint>(first_frame_));
      return true;
    case PROP_LATE_POLICY:
      g_value_set_enum(value, static_cast<gint>(late_policy_));
      return true;
    case PROP_MAX_BACKLOG:
      g_value_set_uint(value, max_backlog_);
      return true;
    case PROP_STARVATION_TIMEOUT:
      g_value_set_uint64(value, live_policy_.starvation_timeout);
      return true;
    case PROP_CONTEXT_POLICY:
      g_value_set_enum(value, static_cast<gint>(live_policy_.context));
      return true;
    case PROP_MAX_SESSIONS:
      g_value_set_int(value, max_sessions_);
      return true;
    case PROP_ALLOW_SLOW:
      g_value_set_boolean(value, static_cast<gboolean>(allow_slow_));
      return true;
    case PROP_STEP_DELAY:
      g_value_set_uint(value, step_delay_);
      return true;
    default:
      return false;
  }
}

moshi::LmOptions LmProperties::load_options() const {
  const ObjectLock lock(element_);
  moshi::LmOptions options;
  options.precision = precision_;
  options.kv_precision = kv_precision_;
  options.max_sessions = max_sessions_;
  return options;
}

moshi::Conditions LmProperties::conditions() const {
  moshi::Conditions conditions;
  const gint count = conditions_ == nullptr ? 0 : gst_structure_n_fields(conditions_);
  for (gint i = 0; i < count; ++i) {
    const char* name = gst_structure_nth_field_name(conditions_, static_cast<guint>(i));
    const char* value = gst_structure_get_string(conditions_, name);
    if (value == nullptr) {
      throw moshi::Error(moshi::ErrorCode::Settings, std::string("condition ") + name +
                                                         ": expected a string, found another type; write " +
                                                         name + "=(string)VALUE");
    }
    conditions.emplace_back(name, value);
  }
  return conditions;
}

LmSettings LmProperties::settings(const moshi::LmInfo& lm) const {
  const ObjectLock lock(element_);
  LmSettings settings;
  settings.sampling = lm.sampling;
  moshi::Sampling& sampling = settings.sampling;
  if (text_temperature_ >= 0) sampling.text_temperature = text_temperature_;
  if (text_top_k_ >= 0) sampling.text_top_k = text_top_k_;
  if (audio_temperature_ >= 0) sampling.audio_temperature = audio_temperature_;
  if (audio_top_k_ >= 0) sampling.audio_top_k = audio_top_k_;
  if (cfg_coef_ >= 0) sampling.cfg_coef = cfg_coef_;
  sampling.greedy = sampling.greedy || greedy_;
  sampling.seed = seed_;
  settings.conditions = conditions();
  settings.first_frame = first_frame_;
  settings.allow_slow = allow_slow_;
  settings.step_delay = step_delay_;
  return settings;
}

LatePolicy LmProperties::late_policy() const {
  const ObjectLock lock(element_);
  return late_policy_;
}

LivePolicy LmProperties::live_policy() const {
  const ObjectLock lock(element_);
  LivePolicy policy = live_policy_;
  policy.may_wait = late_policy_ == LatePolicy::DropUser ? 1 : max_backlog_;
  return policy;
}

size_t LmProperties::max_backlog() const {
  const ObjectLock lock(element_);
  return max_backlog_;
}

}  // namespace gstmoshi
