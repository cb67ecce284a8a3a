// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "cuda/tiles.h"

namespace moshi::cuda {

/// A norm over the features of each column (lib/nn/layers.cpp, NormLayer, computes the same).
struct Norm {
  bool none = false;              ///< Only the conversion.
  bool mean = false;              ///< Subtract the mean first (LayerNorm); else RMSNorm.
  float epsilon = 1e-8F;          ///< Added to the variance.
  const float* weight = nullptr;  ///< f32 [features] in device memory.
  const float* bias = nullptr;    ///< The same, or null.
};

/// out = norm(x) for x f32 [columns][out.depth], in the dtype `element` multiplies with. `overflows` as
/// Output's, `overlap`, `stream` and the result as those of multiply().
int normalize(const float* x, const Norm& norm, const Activations& out, Element element, int* overflows,
              bool overlap, void* stream);

}  // namespace moshi::cuda
