// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/convolve.cuh"

namespace moshi::cuda {
namespace {

/// Columns up to which the reading of the filter, not the arithmetic, bounds a product.
constexpr int kFewColumns = 8;

/// A warp a column.
__global__ void __launch_bounds__(kWarp) norm_kernel(const float* x, int depth, ColumnNorm norm) {
  extern __shared__ float values[];
  const size_t first = static_cast<size_t>(blockIdx.x) * depth;
  let_next_start();
  wait_for_previous();
  for (int i = threadIdx.x; i < depth; i += kWarp) values[i] = __ldcg(x + first + i);
  normalize_column(values, depth, norm, threadIdx.x, norm.normed + first);
}

int normalize_columns(const float* x, int columns, int depth, const ColumnNorm& norm, bool overlap,
                      void* stream) {
  return Launch(columns, kWarp, sizeof(float) * depth, overlap, stream)(norm_kernel, x, depth, norm);
}

}  // namespace

int convolve(const Filter& filter, const Windows& windows, const Streams& streams, const ColumnNorm& norm,
             const Results& results, bool overlap, void* stream) {
  const int columns = streams.count * windows.columns();
  if (columns <= kFewColumns) {
    return convolve_narrow(filter, windows, streams, norm, results, overlap, stream);
  }
  Windows normed = windows;
  if (norm.weight != nullptr) {
    const int status = normalize_columns(windows.steps, columns, windows.channels, norm, overlap, stream);
    if (status != 0) return status;
    normed.steps = norm.normed;
  }
  return convolve_tiled(filter, normed, streams, results, overlap, stream);
}

}  // namespace moshi::cuda
