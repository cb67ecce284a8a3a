// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

#include "serve/chat/chat_settings.h"

namespace serve {

/// Makes a moshilm choose its tokens as the client asked for; what its settings leave out stays as the
/// checkpoint says.
inline void set_sampling(GstElement* lm, const ChatSettings& settings) {
  if (settings.text_temperature) g_object_set(lm, "text-temperature", *settings.text_temperature, nullptr);
  if (settings.text_top_k) g_object_set(lm, "text-top-k", *settings.text_top_k, nullptr);
  if (settings.audio_temperature) g_object_set(lm, "audio-temperature", *settings.audio_temperature, nullptr);
  if (settings.audio_top_k) g_object_set(lm, "audio-top-k", *settings.audio_top_k, nullptr);
}

}  // namespace serve
