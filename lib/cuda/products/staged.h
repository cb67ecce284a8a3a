// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products of matrices so small that two of them fit in the shared memory of a device: see staged.cuh.
#pragma once

#include "cuda/products/linear.h"

namespace moshi::cuda {

/// Most columns for which every block makes all operands itself (measured on an H100).
constexpr int kMostPrepared = 2;

/// Whether the kernels multiply this on the current device, and faster than others do.
bool staged_takes(const Matrix& w, int columns);
/// Whether they do with this norm inside.
bool staged_takes(const Matrix& w, int columns, const Norm& norm);

/// output = w x. The rest as multiply().
int multiply_staged(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream);

/// output = w norm(x) for x f32 [columns][w.depth]. The rest as multiply().
int multiply_staged(const Matrix& w, const float* x, int columns, const Norm& norm, const Output& output,
                    bool overlap, void* stream);

}  // namespace moshi::cuda
