// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Large products for 9 to 64 columns: one block a multiprocessor, two of them a cluster that has the chains
// in halves; weights and activations arrive in a ring of stages in shared memory, and every warp shares its
// columns with the others there. Compute capability 9.0.
#pragma once

#include "cuda/products/linear.h"

namespace moshi::cuda {

/// Whether the kernel can multiply this on the current device, and is the faster one.
bool wide_takes(const Matrix& w, int columns);

/// output = w x. The rest as multiply().
int multiply_wide(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream);

}  // namespace moshi::cuda
