// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/tokens/choose.h"

#include <cstring>
#include <vector>

#include "../chi_square.h"
#include "kernels.h"
#include "lm/sampling.h"

namespace moshi::cuda {
namespace {

using ChooseKernel = KernelTest;

std::vector<int> chosen(const at::Tensor& logits, const std::vector<Choice>& choices, uint32_t row,
                        int columns, const Follow& follow = {}) {
  const at::Tensor values = logits.to(kGpu).contiguous();
  at::Tensor bytes = at::empty({static_cast<int64_t>(choices.size() * sizeof(Choice))}, at::kByte);
  std::memcpy(bytes.data_ptr(), choices.data(), choices.size() * sizeof(Choice));
  bytes = bytes.to(kGpu);
  const at::Tensor tokens = at::full({logits.size(0)}, -1, at::TensorOptions(at::kInt).device(kGpu));
  EXPECT_EQ(choose(values.const_data_ptr<float>(), static_cast<int>(logits.size(1)),
                   static_cast<int>(logits.size(1)), static_cast<const Choice*>(bytes.data_ptr()), row,
                   columns, tokens.mutable_data_ptr<int>(), follow, false, nullptr),
            0);
  const at::Tensor host = tokens.cpu();
  return {host.const_data_ptr<int>(), host.const_data_ptr<int>() + host.numel()};
}

TEST_F(ChooseKernel, GreedyTakesTheFirstOfTheLargest) {
  for (const int64_t card : {5, 366, 2048, 32000}) {
    at::Tensor logits = at::randn({3, card});
    logits[0][card - 1] = 50;
    logits[1][2] = logits[1][4] = 60;
    logits[2][0] = 70;
    EXPECT_EQ(chosen(logits, std::vector<Choice>(3), 0, 3),
              (std::vector<int>{static_cast<int>(card) - 1, 2, 0}));
  }
}

TEST_F(ChooseKernel, DrawsWhatTheCpuDraws) {
  for (const auto& [card, top_k] : {std::pair{2048, 250},
                                    {2048, 0},
                                    {32000, 25},
                                    {32000, 1500},
                                    {32000, 0},
                                    {40000, 25},
                                    {40, 1},
                                    {40, 100}}) {
    constexpr int kColumns = 200;
    const at::Tensor logits = at::randn({kColumns, card}) * 3;
    std::vector<Choice> choices;
    std::vector<lm::SamplingRow> rows;
    for (int i = 0; i < kColumns; ++i) {
      choices.push_back({true, 0.8F, top_k, static_cast<uint64_t>(i % 7) + 1, i});
      rows.push_back({0.8F, top_k, static_cast<uint64_t>(i % 7) + 1, i});
    }
    const at::Tensor expected = lm::Sampler(rows, at::kCPU).sample(logits, 3);
    const std::vector<int> tokens = chosen(logits, choices, 3, kColumns);
    int same = 0;
    for (int i = 0; i < kColumns; ++i) same += tokens[i] == expected[i].item<int>() ? 1 : 0;
    EXPECT_GE(same, kColumns - 1) << card << ", " << top_k;  // Two scores may differ by a rounding.
  }
}

TEST_F(ChooseKernel, AllThatEqualTheLastOfTheTopKRace) {
  at::Tensor logits = at::full({64, 32000}, -2.0);
  logits.narrow(1, 3, 2).fill_(-1.0);
  logits.narrow(1, 100, 31000).fill_(-1.5);  // More than the kernel expects.
  std::vector<Choice> choices;
  for (int i = 0; i < 64; ++i) choices.push_back({true, 1.0F, 25, static_cast<uint64_t>(i) + 1, 0});
  int further = 0;
  for (const int token : chosen(logits, choices, 0, 64)) {
    EXPECT_TRUE(token == 3 || token == 4 || (token >= 100 && token < 31100)) << token;
    further += token > 5000 ? 1 : 0;
  }
  EXPECT_GT(further, 32);
}

TEST_F(ChooseKernel, FrequenciesAreTheSoftmaxOfTheTopK) {
  constexpr int kCard = 40;
  constexpr int kDraws = 100000;
  constexpr int kTopK = 12;
  const at::Tensor logits = (at::arange(kCard, at::kFloat) * 0.37).sin() * 3;
  std::vector<int> counts(kCard, 0);
  std::vector<Choice> choices;
  for (int i = 0; i < kDraws; ++i)
    choices.push_back({true, 0.9F, kTopK, static_cast<uint64_t>(i + 1), i % 50});
  for (const int token : chosen(logits.expand({kDraws, kCard}), choices, 2, kDraws))
    ++counts[static_cast<size_t>(token)];
  const at::Tensor probabilities = top_k_softmax(logits, 0.9, kTopK);
  EXPECT_LT(chi_square(counts, probabilities, kDraws), 31.26);  // 11 degrees of freedom, one in a thousand.
}

TEST_F(ChooseKernel, GuidesByTheNullColumn) {
  at::Tensor logits = at::zeros({3, 10});
  logits[0][1] = 2, logits[0][2] = 1.9;
  logits[2][1] = 1.5, logits[2][2] = 0;
  Choice guided;
  guided.null_column = 2;
  guided.coefficient = 3;
  // Null + 3 (own - null): 1.5 + 1.5 = 3 for token 1, 0 + 5.7 for token 2.
  Choice none;
  none.wanted = false;
  EXPECT_EQ(chosen(logits, {guided, Choice{}, none}, 0, 3), (std::vector<int>{2, 0, 2}));
}

TEST_F(ChooseKernel, LooksUpWhatFollows) {
  constexpr int kDim = 1100;
  const at::Tensor logits = at::eye(5, 40);
  Choice guided;
  guided.null_column = 3;
  Choice none;
  none.wanted = false;
  const std::vector<Choice> choices{Choice{}, guided, none, none, Choice{}};
  const at::Tensor base = at::randn({5, 2 * kDim});
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor table = at::randn({40, kDim}).to(type);
    const at::Tensor on_gpu[] = {base.to(kGpu), table.to(kGpu)};
    const at::Tensor x = at::full({5, kDim}, NAN, at::TensorOptions(at::kFloat).device(kGpu));
    const Follow follow{x.mutable_data_ptr<float>(),
                        on_gpu[0].const_data_ptr<float>() + kDim,
                        2 * kDim,
                        on_gpu[1].const_data_ptr(),
                        type == at::kBFloat16,
                        kDim};
    EXPECT_EQ(chosen(logits, choices, 1, 5, follow), (std::vector<int>{0, 1, -1, 1, 4}));
    at::Tensor expected = table.to(at::kFloat).index_select(0, at::tensor({0, 1, 0, 1, 4}, at::kLong));
    expected[2].zero_();  // Nobody's.
    EXPECT_TRUE(at::equal(x.cpu(), base.narrow(1, kDim, kDim) + expected));
  }
}

TEST_F(ChooseKernel, NoNumbersGiveATokenAllTheSame) {
  const at::Tensor logits = at::full({1, 2048}, NAN);
  EXPECT_EQ(chosen(logits, {Choice{}}, 0, 1), std::vector<int>{0});
  EXPECT_EQ(chosen(logits, {Choice{true, 0.8F, 25, 1, 1}}, 0, 1), std::vector<int>{0});
}

}  // namespace
}  // namespace moshi::cuda
