// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

namespace moshi::nn {

/// Gives memory back to a CUDA device that LibTorch keeps for later. Called between large temporaries, so
/// that what stays is not cut from a block that one of them left, the rest of which would stay, too.
void release_spare_memory(at::Device device);

}  // namespace moshi::nn
