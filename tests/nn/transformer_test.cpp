// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/transformer.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "moshi/moshi.h"

namespace moshi::nn {
namespace {

using checkpoint::Gating;
using checkpoint::Norm;
using checkpoint::PositionEmbedding;
using checkpoint::TransformerConfig;

TransformerConfig small_config(int context) {
  TransformerConfig config;
  config.dim = 16;
  config.num_heads = 2;
  config.num_layers = 2;
  config.dim_feedforward = {48};
  config.context = context;
  config.norm = Norm::RmsNormF32;
  config.position = PositionEmbedding::Rope;
  config.gating = Gating::Silu;
  return config;
}

Transformer make(const TransformerConfig& config) {
  return {config, Weights(std::make_shared<RandomSource>(at::kFloat, MatrixKind::Plain, 7))};
}

/// Ring entries query `t` of row `row` sees.
std::set<int64_t> seen(const RingPlan& plan, int64_t row, int64_t steps, int64_t t) {
  std::set<int64_t> entries;
  for (int64_t entry = 0; entry < plan.visible; ++entry) {
    if (plan.mask.empty() || plan.mask[static_cast<size_t>((row * steps + t) * plan.visible + entry)] != 0) {
      entries.insert(entry);
    }
  }
  return entries;
}

using Entries = std::set<int64_t>;

// Capacity 5, the rows of moshi-core's scattered cache test (kv_cache.rs), without its masked rows.
TEST(RingPlan, FollowsTheScatteredTable) {
  const RingPlan third = plan_ring({0}, 3, 5);
  EXPECT_EQ(third.writes, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(seen(third, 0, 3, 0), (Entries{0}));
  EXPECT_EQ(seen(third, 0, 3, 2), (Entries{0, 1, 2}));

  const RingPlan fourth = plan_ring({2, 3}, 3, 5);
  EXPECT_EQ(fourth.writes, (std::vector<int64_t>{2, 3, 4, 3, 4, 0}));
  EXPECT_EQ(seen(fourth, 0, 3, 0), (Entries{0, 1, 2}));
  EXPECT_EQ(seen(fourth, 0, 3, 1), (Entries{0, 1, 2, 3}));
  EXPECT_EQ(seen(fourth, 0, 3, 2), (Entries{0, 1, 2, 3, 4}));
  // The third step has overwritten entry 0 before the first one looks.
  EXPECT_EQ(seen(fourth, 1, 3, 0), (Entries{1, 2, 3}));
  EXPECT_EQ(seen(fourth, 1, 3, 1), (Entries{1, 2, 3, 4}));
  EXPECT_EQ(seen(fourth, 1, 3, 2), (Entries{0, 1, 2, 3, 4}));

  const RingPlan fifth = plan_ring({5}, 1, 5);
  EXPECT_EQ(fifth.writes, (std::vector<int64_t>{0}));
  EXPECT_TRUE(fifth.mask.empty());

  const RingPlan sixth = plan_ring({6}, 2, 5);
  EXPECT_EQ(sixth.writes, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(seen(sixth, 0, 2, 0), (Entries{0, 1, 3, 4}));
  EXPECT_EQ(seen(sixth, 0, 2, 1), (Entries{0, 1, 2, 3, 4}));
}

TEST(RingPlan, TwoStepsOf250LoseOneKey) {
  const auto counts = [](int64_t offset) {
    const RingPlan plan = plan_ring({offset}, 2, 250);
    return std::pair(seen(plan, 0, 2, 0).size(), seen(plan, 0, 2, 1).size());
  };
  EXPECT_EQ(counts(0), (std::pair<size_t, size_t>{1, 2}));
  EXPECT_EQ(counts(248), (std::pair<size_t, size_t>{249, 250}));
  EXPECT_EQ(counts(250), (std::pair<size_t, size_t>{249, 250}));
  EXPECT_EQ(counts(1000), (std::pair<size_t, size_t>{249, 250}));
}

TEST(RingPlan, OneStepSeesWhatTheContextHolds) {
  for (const int64_t offset : {0, 1, 2998, 2999, 3000, 100000}) {
    const RingPlan plan = plan_ring({offset}, 1, 3000);
    EXPECT_EQ(plan.visible, std::min<int64_t>(offset + 1, 3000));
    EXPECT_TRUE(plan.mask.empty()) << offset;
  }
}

TEST(Transformer, StreamingEqualsOfflineAcrossGrowingRings) {
  for (const int context : {5, 200}) {
    const Transformer transformer = make(small_config(context));
    const at::Tensor x = at::randn({2, 150, 16});
    TransformerState state = transformer.make_state(2);
    const Rows rows = Rows::first(2, at::kCPU);
    std::vector<at::Tensor> outputs;
    for (int64_t t = 0; t < x.size(1); ++t) {
      outputs.push_back(transformer.step(x.narrow(1, t, 1), state, rows));
    }
    EXPECT_LT((at::cat(outputs, 1) - transformer.forward(x)).abs().max().item<float>(), 1e-5) << context;
  }
}

TEST(Transformer, Int8KeysAndValuesComeClose) {
  Transformer transformer = make(small_config(200));
  const uint64_t full = transformer.position_bytes();
  const at::Tensor x = at::randn({2, 150, 16});
  const at::Tensor expected = transformer.forward(x);
  transformer.quantize_kv();
  EXPECT_LT(transformer.position_bytes(), full);
  TransformerState state = transformer.make_state(2);
  const Rows together = Rows::first(2, at::kCPU);
  double worst = 0;
  for (int64_t t = 0; t < x.size(1); ++t) {
    const at::Tensor y = transformer.step(x.narrow(1, t, 1), state, together);
    worst = std::max(worst, (y - expected.narrow(1, t, 1)).norm().item<double>() /
                                expected.narrow(1, t, 1).norm().item<double>());
  }
  EXPECT_LT(worst, 2e-2);
  EXPECT_GT(worst, 1e-5) << "nothing was quantised";
}

TEST(Transformer, RowsThatDoNotRunDoNotMove) {
  const Transformer transformer = make(small_config(6));
  const at::Tensor x = at::randn({3, 20, 16});
  // Slots 4, 0, 2 hold three streams that run at different times.
  const std::vector<int64_t> slots = {4, 0, 2};
  TransformerState state = transformer.make_state(5);
  std::vector<std::vector<at::Tensor>> outputs(3);
  std::vector<int64_t> position(3, 0);
  for (int64_t round = 0; round < 40; ++round) {
    std::vector<int64_t> who;
    for (int64_t stream = 0; stream < 3; ++stream) {
      if ((round * 7 + stream * 5) % 4 < 2 && position[static_cast<size_t>(stream)] < 20) {
        who.push_back(stream);
      }
    }
    if (who.empty()) {
      continue;
    }
    std::vector<int64_t> used;
    std::vector<at::Tensor> inputs;
    for (const int64_t stream : who) {
      used.push_back(slots[static_cast<size_t>(stream)]);
      inputs.push_back(x[stream].narrow(0, position[static_cast<size_t>(stream)]++, 1));
    }
    const at::Tensor y = transformer.step(at::stack(inputs), state, Rows(used, at::kCPU));
    for (size_t i = 0; i < who.size(); ++i) {
      outputs[static_cast<size_t>(who[i])].push_back(y[static_cast<int64_t>(i)]);
    }
  }
  const at::Tensor alone = transformer.forward(x);
  for (size_t stream = 0; stream < 3; ++stream) {
    const at::Tensor got = at::cat(outputs[stream]);
    ASSERT_EQ(got.size(0), 20);
    EXPECT_LT((got - alone[static_cast<int64_t>(stream)]).abs().max().item<float>(), 1e-5);
  }
}

TEST(Transformer, ResetForgets) {
  const Transformer transformer = make(small_config(6));
  const at::Tensor x = at::randn({1, 9, 16});
  TransformerState state = transformer.make_state(1);
  const Rows rows = Rows::first(1, at::kCPU);
  const auto run = [&] {
    std::vector<at::Tensor> outputs;
    for (int64_t t = 0; t < x.size(1); ++t) {
      outputs.push_back(transformer.step(x.narrow(1, t, 1), state, rows));
    }
    return at::cat(outputs, 1);
  };
  const at::Tensor first = run();
  const at::Tensor continued = run();
  state.reset(0);
  EXPECT_TRUE(first.equal(run()));
  EXPECT_FALSE(first.equal(continued));
}

TEST(Transformer, RefusesWhatItCannotRun) {
  TransformerConfig cross = small_config(4);
  cross.cross_attention = true;
  EXPECT_THROW(make(cross), Error);
  TransformerConfig plain = small_config(4);
  plain.gating = Gating::None;
  plain.schedule = {0, 1};
  EXPECT_THROW(make(plain), Error);
}

}  // namespace
}  // namespace moshi::nn
