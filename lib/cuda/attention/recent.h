// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Attention to a few positions, as the depth transformer's, and the product of what comes of it.
#pragma once

#include "cuda/attention/attention.h"
#include "cuda/products/linear.h"

namespace moshi::cuda {

/// Most positions of a past that is recent.
constexpr int kRecentPositions = 16;

/// What attend_recent() attends to: as the parameters of attend().
struct Recent {
  const float* qkv = nullptr;
  Attention attention;
  Pages pages;
  int layer = 0;
  const int* slots = nullptr;
  const int* positions = nullptr;
};

/// Whether attend_recent() can attend to this on the current device; `longest` as attend()'s.
bool recent_takes(const Attention& attention, const Pages& pages, int longest);

/// As attend(); sums are made in an order of its own, the same at every batch size.
int attend_recent(const Recent& recent, const Activations& out, Element element, int* overflows, bool overlap,
                  void* stream);

/// output = w attended, with the same bits as attend_recent() and multiply() give one after the other, which
/// it may be: `attended` is their room. The rest as multiply().
int multiply_attended(const Matrix& w, const Recent& recent, const Activations& attended,
                      const Output& output, bool overlap, void* stream);

}  // namespace moshi::cuda
