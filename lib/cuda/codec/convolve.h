// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Streaming convolutions of one frame of up to 64 streams, as products of a filter matrix with windows of a
// stream's steps, in true f32. Strided, transposed and pointwise convolutions and plain matrix products are
// all of this kind. A column's result depends on that column alone, to the last bit: depth is cut into chunks
// of 32, each summed in rising order, and the chunks' sums are added in rising order, whatever kernel does
// it.
#pragma once

#include <cstdint>

namespace moshi::cuda {

/// Depth that is summed in one chain.
constexpr int kChunk = 32;
/// Rows of a filter that lie together.
constexpr int kRowGroup = 8;
/// Most channels of a norm.
constexpr int kWidestNorm = 1024;

/// The streams a batch continues; the arrays are device memory. A stream's memory is one block of floats, in
/// which each layer has a place, given by its offset.
struct Streams {
  float* const* memories = nullptr;  ///< [count]; null: nobody's, whose results mean nothing.
  const int* frames = nullptr;       ///< [count] frames before this one; 0: the stream begins.
  int count = 0;
};

/// A filter as `[rows / 8][depth / 4][8 rows][4]`, rows padded to whole groups and depth to whole chunks with
/// zeros. Depth is [tap][channel].
struct Filter {
  const float* values = nullptr;
  const float* bias = nullptr;  ///< [rows], or null.
  int rows = 0;
  int depth = 0;  ///< Without padding.
  [[nodiscard]] constexpr int row_groups() const { return (rows + kRowGroup - 1) / kRowGroup; }
  [[nodiscard]] constexpr int chunks() const { return (depth + kChunk - 1) / kChunk; }
};

/// The columns of a product: windows of [history, steps] that begin every `stride` steps.
struct Windows {
  const float* steps = nullptr;  ///< [streams][count][channels], device memory.
  int count = 1;                 ///< Steps a frame, a multiple of `stride`.
  int channels = 0;
  int kernel = 1;
  int stride = 1;
  int dilation = 1;
  int64_t past = 0;           ///< Offset of what is remembered: [2][history()][channels].
  bool repeat_first = false;  ///< What lies before a stream: its first step again, or zeros.
  [[nodiscard]] constexpr int history() const { return (kernel - 1) * dilation + 1 - stride; }
  [[nodiscard]] constexpr int remembered() const { return history() * channels; }
  [[nodiscard]] constexpr int columns() const { return count / stride; }  ///< Of one stream.
};

/// A norm over the channels of each column; for windows of one step, channels in multiples of 4.
struct ColumnNorm {
  const float* weight = nullptr;  ///< [channels]; null: no norm.
  const float* bias = nullptr;    ///< [channels]; null: RMSNorm, else LayerNorm.
  float epsilon = 0;
  float* normed = nullptr;  ///< Room for [columns][channels].
};

enum class Curve { Elu, Gelu };

/// Where the results go: y of row r and column c to [c * rows + r] of each array that is not null.
struct Results {
  const float* scale = nullptr;     ///< [rows]: y *= scale, before the residual is added.
  const float* residual = nullptr;  ///< y += residual; may be `plain` or `active`.
  float* plain = nullptr;           ///< y.
  float* active = nullptr;          ///< curve(y).
  Curve curve = Curve::Elu;
  float alpha = 1;  ///< Of the ELU.
};

/// results = filter * norm(windows); remembers the last steps. Launches on `stream` (a cudaStream_t);
/// `overlap`: may start while the kernel before it in the stream still runs (programmatic dependent launch,
/// compute capability 9.0 and later). Returns 0 or a cudaError_t.
int convolve(const Filter& filter, const Windows& windows, const Streams& streams, const ColumnNorm& norm,
             const Results& results, bool overlap, void* stream);

}  // namespace moshi::cuda
