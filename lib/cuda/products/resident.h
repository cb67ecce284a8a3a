// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products for up to 8 columns: one block a multiprocessor that keeps all activations in shared memory, so
// that the reading of weights never pauses. Compute capability 9.0.
#pragma once

#include "cuda/products/linear.h"

namespace moshi::cuda {

/// Whether the kernel can multiply this on the current device.
bool resident_takes(const Matrix& w, int columns);

/// output = w x. The rest as multiply().
int multiply_resident(const Matrix& w, const Activations& x, const Output& output, bool overlap,
                      void* stream);

}  // namespace moshi::cuda
