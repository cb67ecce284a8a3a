// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>
#include <vector>

namespace moshi {

/// softmax(logits / temperature) of its `top_k` most probable, renormalised: f64 [vocabulary].
inline at::Tensor top_k_softmax(const at::Tensor& logits, double temperature, int64_t top_k) {
  const at::Tensor all = at::softmax(logits.to(at::kDouble) / temperature, 0);
  const auto [top, indices] = all.topk(top_k);
  return at::zeros_like(all).scatter(0, indices, top / top.sum());
}

/// Chi-square of how often each was drawn; what cannot be drawn must not have been.
inline double chi_square(const std::vector<int>& counts, const at::Tensor& probabilities, int draws) {
  double sum = 0;
  for (size_t token = 0; token < counts.size(); ++token) {
    const double expected = probabilities[static_cast<int64_t>(token)].item<double>() * draws;
    if (expected == 0) {
      EXPECT_EQ(counts[token], 0) << token;
    } else {
      sum += std::pow(counts[token] - expected, 2) / expected;
    }
  }
  return sum;
}

}  // namespace moshi
