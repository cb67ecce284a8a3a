// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/codec/convolve.cuh"

namespace moshi::cuda {
namespace {

/// Columns up to which the reading of the filter, not the arithmetic, bounds a product.
constexpr int kFewColumns = 8;

/// A warp a column, which lies in its registers; as normalize_column() to the last bit.
__global__ void __launch_bounds__(kWarp) norm_kernel(const float* x, int depth, ColumnNorm norm) {
  constexpr int kOwn = kWidestNorm / kWarp;
  const size_t first = static_cast<size_t>(blockIdx.x) * depth;
  const auto load = [&](float(&to)[kOwn], const float* from, const auto& get) {
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      const int k = i * kWarp + threadIdx.x;
      to[i] = from != nullptr && k < depth ? get(from + k) : 0.0F;
    }
  };
  let_next_start();
  float weights[kOwn];
  float biases[kOwn];
  load(weights, norm.weight, [](const float* from) { return __ldg(from); });
  load(biases, norm.bias, [](const float* from) { return __ldg(from); });
  wait_for_previous();
  float values[kOwn];
  load(values, x + first, [](const float* from) { return __ldcg(from); });
  float mean = 0;
  if (norm.bias != nullptr) {
#pragma unroll
    for (const float value : values) mean += value;
    mean = warp_sum(mean) / static_cast<float>(depth);
  }
  float squares = 0;
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const float distance = values[i] - mean;
    if (i * kWarp + static_cast<int>(threadIdx.x) < depth) squares = fmaf(distance, distance, squares);
  }
  const float scale = rsqrtf(warp_sum(squares) / static_cast<float>(depth) + norm.epsilon);
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const int k = i * kWarp + threadIdx.x;
    if (k < depth) norm.normed[first + k] = fmaf((values[i] - mean) * scale, weights[i], biases[i]);
  }
}

int normalize_columns(const float* x, int columns, int depth, const ColumnNorm& norm, bool overlap,
                      void* stream) {
  return Launch(columns, kWarp, 0, overlap, stream)(norm_kernel, x, depth, norm);
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
