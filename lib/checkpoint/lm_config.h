// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "checkpoint/config.h"
#include "checkpoint/config_section.h"

namespace moshi::checkpoint {

/// The language model's part of config.json. Throws as parse_model_config.
/// Source: moshi/models/lm.py, LMModel.__init__; moshi/models/loaders.py, get_moshi_lm.
LmConfig read_lm_config(Section& section);

}  // namespace moshi::checkpoint
