// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products for up to 8 columns: one block a multiprocessor, through whose shared memory the weights stream.
// Compute capability 9.0.
#pragma once

#include "cuda/products/linear.h"

namespace moshi::cuda {

/// Whether the kernel multiplies this on the current device, and faster than others do.
bool streamed_takes(const Matrix& w, int columns);
/// Whether it does with this norm inside.
bool streamed_takes(const Matrix& w, int columns, const Norm& norm);

/// output = w x. The rest as multiply().
int multiply_streamed(const Matrix& w, const Activations& x, const Output& output, bool overlap,
                      void* stream);

/// output = w norm(x) for x f32 [columns][w.depth]. The rest as multiply().
int multiply_streamed(const Matrix& w, const float* x, int columns, const Norm& norm, const Output& output,
                      bool overlap, void* stream);

}  // namespace moshi::cuda
