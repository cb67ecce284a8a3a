// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Between matrices as rows and what CUDA kernels multiply: tiles (cuda/tiles.h) and chunks
// (cuda/codec/convolve.h).
#pragma once

#include <ATen/ATen.h>

#include "nn/linear.h"

namespace moshi::nn {

/// The weights [out, in] as tiles: f32, bf16, or int8 values plus 128 as bytes. `in` a multiple of 32; rows
/// are padded with zeros to a multiple of 16.
at::Tensor tiled(const at::Tensor& weights);
/// The inverse; `rows` without padding.
at::Tensor untiled(const at::Tensor& tiles, int64_t rows);

/// f32 weights [out, in] as chunks; rows are padded with zeros to a multiple of 8, `in` to one of 32.
at::Tensor chunked(const at::Tensor& weights);
/// The inverse; `rows` and `depth` without padding.
at::Tensor unchunked(const at::Tensor& chunks, int64_t rows, int64_t depth);

/// Gate and up rows of a feed-forward [2 hidden, ...] in turns of 8, as one tile wants them; `hidden` a
/// multiple of 8.
at::Tensor interleaved(const at::Tensor& gate_and_up);

}  // namespace moshi::nn
