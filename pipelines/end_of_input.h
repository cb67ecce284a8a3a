// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "pipeline.h"

/// At the end of its recording a model that lags behind its input needs more: silence for as long as
/// text is late (STT), or the end mark and silence until it has finished its translation (Hibiki).
/// Feeds that into `encoder` before the end of the stream passes.
void finish_input(GstElement* encoder, const moshi::CodecInfo& codec, const moshi::LmInfo& lm);
