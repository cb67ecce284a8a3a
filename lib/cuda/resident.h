// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Products for up to 8 columns: one block a multiprocessor that keeps all activations in shared memory, so
// that the reading of weights never pauses. Compute capability 9.0.
#pragma once

#include "cuda/linear.h"
#include "cuda/norm.h"

namespace moshi::cuda {

/// Whether the kernel can multiply this on the current device; `normed`: with a norm inside.
bool resident_takes(const Matrix& w, int columns, bool normed);

/// output = w x for activations x of `columns` columns, in the dtype of the matrix's Element; or, where
/// `norm` is not null, output = w norm(x) for x f32 [columns][w.depth] and an RMSNorm. The rest as
/// multiply().
int multiply_resident(const Matrix& w, const void* x, int columns, const Norm* norm, const Output& output,
                      bool overlap, void* stream);

}  // namespace moshi::cuda
