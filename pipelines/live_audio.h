// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Microphone and loudspeaker, with the echo of one taken out of the other where GStreamer can.
#pragma once

#include "pipeline.h"

/// Adds the microphone: one F32 frame of the codec at a time, a frame every frame time whatever the
/// device does. `cancel_echo`: a loudspeaker will be added too.
GstElement* add_microphone(Pipeline& pipeline, const moshi::CodecInfo& codec, bool cancel_echo);

/// Adds the loudspeaker.
GstElement* add_loudspeaker(Pipeline& pipeline);
