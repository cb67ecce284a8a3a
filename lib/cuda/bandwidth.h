// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>

namespace moshi::cuda {

/// Reads `bytes` (a multiple of 16) of device memory from `data` and does nothing else; `sink` stays what it
/// is. Returns 0 or a cudaError_t.
int read_all(const void* data, size_t bytes, float* sink, void* stream);

}  // namespace moshi::cuda
