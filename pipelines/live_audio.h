// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Microphone and loudspeaker, with the echo of one taken out of the other where GStreamer can.
#pragma once

#include "pipeline.h"

/// Launch description of what makes one F32 frame of the codec every frame time, whatever its source does:
/// what has not come within `patience` after its time is left out, silence goes in instead.
std::string steady_frames(const moshi::CodecInfo& codec, GstClockTime patience = 0);

/// Adds a bin from a launch description; its errors are about `device`.
GstElement* add_device(Pipeline& pipeline, const std::string& description, const std::string& device);

/// Adds the microphone, which gives steady frames. `cancel_echo`: a loudspeaker will be added too. `device`:
/// launch description of a live source.
GstElement* add_microphone(Pipeline& pipeline, const moshi::CodecInfo& codec, bool cancel_echo,
                           const std::string& device = "autoaudiosrc");

/// Adds the loudspeaker. `device`: launch description of a sink.
GstElement* add_loudspeaker(Pipeline& pipeline, const std::string& device = "autoaudiosink");
