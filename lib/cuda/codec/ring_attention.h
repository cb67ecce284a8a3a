// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Attention of the few steps of a frame over a ring of past positions, in f32. A stream's result depends on
// that stream alone, to the last bit.
#pragma once

#include "cuda/attention/attention.h"
#include "cuda/codec/convolve.h"

namespace moshi::cuda {

/// Most steps a frame, the widest head, and the most steps times context.
constexpr int kMostSteps = 4;
constexpr int kWidestHead = 128;
constexpr int kMostScores = 4096;

/// Keys and values of one layer; the entry of a position is position % context.
struct Ring {
  int64_t keys = 0;    ///< Offset in a stream's memory of [heads][head_dim / 4][context][4], rotated.
  int64_t values = 0;  ///< Of [heads][context][head_dim].
  int heads = 0;
  int head_dim = 0;  ///< A multiple of 4.
  int context = 0;
};

/// `out` [streams][steps][heads * head_dim]: each step's queries attend to the ring after all the steps' keys
/// and values were written to it (lib/nn/transformer.h, RingPlan). `qkv` is [streams][steps][3][heads *
/// head_dim]. Launch, `overlap` and result are as convolve()'s.
int attend_ring(const float* qkv, int steps, const Ring& ring, Rotation rotation, float max_period,
                const Streams& streams, float* out, bool overlap, void* stream);

}  // namespace moshi::cuda
