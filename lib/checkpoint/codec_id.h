// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>

#include "checkpoint/safetensors.h"

namespace moshi::checkpoint {

/// Which codec's codes these are: "mimi-" and the first 8 hex digits of the sha256 over the
/// quantizer's tensors (name, dtype, shape and bytes, by name). Legacy names count as the current
/// ones (moshi/quantization/core_vq.py, EuclideanCodebook._load_from_state_dict) and the flag
/// `_initialized` does not count, so that all files of one codec agree.
std::string codec_id(const TensorFiles& mimi);

}  // namespace moshi::checkpoint
