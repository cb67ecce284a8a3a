// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "cuda/tokens/philox.h"

namespace moshi::lm {
namespace {

constexpr int64_t kVocabulary = 40;

at::Tensor some_logits() { return (at::arange(kVocabulary, at::kFloat) * 0.37).sin() * 3; }

/// Devices to test: the CPU, and CUDA where there is one.
std::vector<at::Device> devices() {
  std::vector<at::Device> all = {at::kCPU};
#ifdef MOSHI_TEST_CUDA
  if (at::globalContext().hasCUDA()) {
    all.emplace_back(at::kCUDA, 0);
  }
#endif
  return all;
}

/// How often each token is drawn in 100,000 draws of different seeds and steps.
std::vector<double> histogram(const at::Tensor& logits, float temperature, int top_k, at::Device device) {
  std::vector<double> counts(kVocabulary, 0);
  constexpr int64_t kRows = 1000;
  const at::Tensor batch = logits.expand({kRows, kVocabulary}).contiguous().to(device);
  for (int64_t step = 0; step < 100; ++step) {
    std::vector<SamplingRow> rows;
    for (int64_t row = 0; row < kRows; ++row) {
      rows.push_back({temperature, top_k, static_cast<uint64_t>(row + 1), step});
    }
    const at::Tensor tokens = Sampler(rows, device).sample(batch, 3).cpu();
    for (int64_t row = 0; row < kRows; ++row) {
      ++counts[static_cast<size_t>(tokens[row].item<int64_t>())];
    }
  }
  return counts;
}

/// Chi-square of the counts against the softmax over the top k, renormalised; tokens outside must
/// never be drawn.
double chi_square(const std::vector<double>& counts, const at::Tensor& logits, float temperature,
                  int64_t top_k) {
  const at::Tensor all = at::softmax(logits / temperature, -1);
  const auto [top, index] = all.topk(top_k, -1);
  const double sum = top.sum().item<double>();
  double statistic = 0;
  double inside = 0;
  for (int64_t i = 0; i < top_k; ++i) {
    const double expected = 100000 * top[i].item<double>() / sum;
    const double count = counts[static_cast<size_t>(index[i].item<int64_t>())];
    statistic += (count - expected) * (count - expected) / expected;
    inside += count;
  }
  EXPECT_EQ(inside, 100000);
  return statistic;
}

TEST(Sampling, DrawsTheRenormalisedTopK) {
  for (const at::Device device : devices()) {
    // 99.9 % quantiles of chi-square with 9 and 39 degrees of freedom.
    EXPECT_LT(chi_square(histogram(some_logits(), 0.8F, 10, device), some_logits(), 0.8F, 10), 27.9);
    EXPECT_LT(chi_square(histogram(some_logits(), 1.5F, 0, device), some_logits(), 1.5F, kVocabulary), 72.1);
    // More than the vocabulary is all of it.
    EXPECT_LT(chi_square(histogram(some_logits(), 1.0F, 5000, device), some_logits(), 1.0F, kVocabulary),
              72.1);
  }
}

TEST(Sampling, GreedyTakesTheLargest) {
  const at::Tensor logits = some_logits().unsqueeze(0);
  for (const float temperature : {0.0F, -1.0F}) {
    const std::vector<SamplingRow> rows = {{temperature, 25, 9, 4}};
    EXPECT_EQ(Sampler(rows, at::kCPU).sample(logits, 0).item<int64_t>(), logits.argmax().item<int64_t>());
  }
  // Also beside a row that samples.
  const std::vector<SamplingRow> mixed = {{0.0F, 25, 9, 4}, {0.9F, 0, 9, 4}};
  EXPECT_EQ(Sampler(mixed, at::kCPU).sample(logits.expand({2, -1}), 0)[0].item<int64_t>(),
            logits.argmax().item<int64_t>());
}

TEST(Sampling, ADrawDependsOnItsKeyAlone) {
  const at::Tensor logits = some_logits();
  for (const at::Device device : devices()) {
    const auto draw = [&](const std::vector<SamplingRow>& rows, int64_t which) {
      const at::Tensor batch = logits.expand({static_cast<int64_t>(rows.size()), -1}).contiguous().to(device);
      return Sampler(rows, device).sample(batch, 1).cpu()[which].item<int64_t>();
    };
    for (int64_t step = 0; step < 50; ++step) {
      const SamplingRow row{0.9F, 12, 77, step};
      const int64_t alone = draw({row}, 0);
      EXPECT_EQ(alone, draw({{1.3F, 0, 5, step}, {0, 1, 6, 9}, row}, 2));
    }
  }
}

TEST(Sampling, CpuAndCudaDrawTheSame) {
  if (devices().size() < 2) {
    GTEST_SKIP() << "no CUDA device";
  }
  const at::Tensor logits = some_logits().expand({200, -1}).contiguous();
  std::vector<SamplingRow> rows;
  for (int64_t i = 0; i < 200; ++i) {
    rows.push_back({0.8F, 25, static_cast<uint64_t>(i), 3 * i});
  }
  const at::Tensor cpu = Sampler(rows, at::kCPU).sample(logits, 2);
  const at::Tensor cuda = Sampler(rows, devices()[1]).sample(logits.to(devices()[1]), 2).cpu();
  EXPECT_TRUE(cpu.equal(cuda));
}

TEST(Philox, MatchesThePublishedVectors) {
  // First words of the known-answer test of Random123 for philox4x32, 10 rounds.
  EXPECT_EQ(cuda::philox(0, 0, 0, 0), 0x6627e8d5U);
  EXPECT_EQ(cuda::philox(~0ULL, ~0ULL, ~0U, ~0U), 0x408f276dU);
  EXPECT_EQ(cuda::philox(0x299f31d0a4093822ULL, 0x0370734413198a2eULL, 0x85a308d3U, 0x243f6a88U),
            0xd16cfe09U);
}

TEST(Philox, ExponentialDrawsHaveMeanOne) {
  double sum = 0;
  for (uint32_t i = 0; i < 100000; ++i) {
    const float draw = cuda::exponential(3, i, 1, 2);
    ASSERT_GT(draw, 0);
    ASSERT_TRUE(std::isfinite(draw));
    sum += draw;
  }
  EXPECT_NEAR(sum / 100000, 1, 0.02);
}

}  // namespace
}  // namespace moshi::lm
