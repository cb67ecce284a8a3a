// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Conversations stepped by CUDA kernels say what those stepped by LibTorch's operators on the CPU say.
#include "lm/stepper.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../chi_square.h"
#include "checkpoint/config.h"
#include "lm/cuda_stepper.h"
#include "lm/token_ring.h"
#include "moshi/moshi.h"

namespace moshi::lm {
namespace {

const char* const kMoshi = R"({
  "dim": 128, "num_heads": 2, "num_layers": 3, "hidden_scale": 6, "context": 40,
  "norm": "rms_norm_f32", "positional_embedding": "rope", "gating": "silu", "causal": true,
  "n_q": 6, "dep_q": 3, "card": 70, "text_card": 90, "delays": [0, 0, 1, 1, 0, 1, 1],
  "depformer_dim": 64, "depformer_num_heads": 2, "depformer_num_layers": 2, "depformer_dim_feedforward": 192,
  "depformer_gating": "silu", "depformer_pos_emb": "none", "depformer_multi_linear": true,
  "depformer_weights_per_step": true, "depformer_weights_per_step_schedule": [0, 1, 1]})";
/// Grouped keys, halves rotated, layer scale, LayerNorm, plain feed-forward, one weight set, norms before
/// heads.
const char* const kOther = R"({
  "dim": 128, "num_heads": 4, "kv_repeat": 2, "num_layers": 2, "hidden_scale": 4, "context": 300,
  "norm": "layer_norm", "positional_embedding": "rope_concat", "gating": "none", "causal": true, "layer_scale": 0.5,
  "n_q": 4, "dep_q": 2, "card": 33, "text_card": 50, "delays": [0, 0, 0, 0, 0], "bias_proj": true, "norm_emb": true,
  "depformer_dim": 64, "depformer_num_heads": 2, "depformer_num_layers": 1, "depformer_dim_feedforward": 96,
  "depformer_gating": "gelu", "depformer_pos_emb": "none", "depformer_multi_linear": false,
  "depformer_norm": "rms_norm_f32", "depformer_low_rank_embeddings": 32})";

std::string changed(std::string json, const std::string& from, const std::string& to) {
  return json.replace(json.find(from), from.size(), to);
}

struct Model {
  explicit Model(const std::string& json, at::Device device, nn::MatrixKind matrices = nn::MatrixKind::Plain,
                 at::ScalarType type = at::kFloat, bool int8_kv = false)
      : config(checkpoint::parse_model_config(json, "config.json")),
        model(config.lm, config.output_codebooks(),
              nn::Weights(
                  std::make_shared<nn::RandomSource>(at::TensorOptions(type).device(device), matrices, 5))) {
    if (int8_kv) model.quantize_kv();
  }
  checkpoint::ModelConfig config;
  LanguageModel model;
};

/// Conversations with codes of their own, each in a slot.
class Talk {
 public:
  Talk(const checkpoint::ModelConfig& config, Stepper& stepper, int sessions)
      : config_(&config), stepper_(&stepper) {
    stepper.grow(sessions);
    for (int i = 0; i < sessions; ++i) {
      rings_.emplace_back(config.lm.delays, config.output_codebooks(), config.lm.text_card, config.lm.card);
      stepper.reset(i);
    }
  }
  /// One step of the sessions named: what each said.
  std::vector<std::vector<int64_t>> step(const std::vector<int>& sessions, int time, float temperature) {
    std::vector<StepRow> rows;
    for (const int session : sessions) {
      TokenRing& ring = rings_[static_cast<size_t>(session)];
      StepRow row;
      row.slot = session;
      row.tokens.resize(ring.rows());
      std::vector<int64_t> heard(static_cast<size_t>(config_->lm.n_q - config_->output_codebooks()));
      for (size_t k = 0; k < heard.size(); ++k) {
        heard[k] = (session * 31 + time * 7 + static_cast<int64_t>(k) * 3) % config_->lm.card;
      }
      row.text = row.audio = {temperature, 20, static_cast<uint64_t>(session) + 1, ring.position()};
      ring.begin(heard, row.tokens);
      rows.push_back(row);
    }
    std::vector<std::vector<int64_t>> said;
    const auto results = stepper_->step(rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::vector<int64_t> output(results[i].tokens.size());
      rings_[static_cast<size_t>(sessions[i])].finish(results[i].tokens, output);
      said.push_back(results[i].tokens);
    }
    return said;
  }
  void restart(int session) {
    rings_[static_cast<size_t>(session)].reset();
    stepper_->reset(session);
  }

 private:
  const checkpoint::ModelConfig* config_;
  Stepper* stepper_;
  std::vector<TokenRing> rings_;
};

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no CUDA device";
  }
  const at::Device gpu{at::kCUDA, 0};
};

class CudaStepperTest : public OnGpu, public testing::WithParamInterface<const char*> {};

TEST_P(CudaStepperTest, SaysWhatTheCpuSays) {
  for (const auto& [graphs, int8_kv] : {std::pair(false, false), {true, false}, {true, true}}) {
    Model here(GetParam(), at::kCPU, nn::MatrixKind::Plain, at::kFloat, int8_kv);
    Model there(GetParam(), gpu, nn::MatrixKind::Plain, at::kFloat, int8_kv);
    ASSERT_EQ(CudaStepper::obstacle(here.config.lm), "");
    EagerStepper eager(here.model);
    CudaStepper kernels(there.model, graphs);
    Talk expected(here.config, eager, 1);
    Talk found(there.config, kernels, 1);
    // A turned key next to the middle of two integers may be rounded to either, which tells in the end.
    for (int time = 0; time < (int8_kv ? 20 : 100); ++time) {
      ASSERT_EQ(found.step({0}, time, 0), expected.step({0}, time, 0))
          << "graphs " << graphs << ", 8-bit keys " << int8_kv << ", step " << time;
    }
  }
}

TEST_P(CudaStepperTest, SaysTheSameInAnyCompany) {
  constexpr int kSessions = 70;
  for (const auto& [matrices, type] : {std::pair{nn::MatrixKind::Plain, at::kFloat},
                                       {nn::MatrixKind::Plain, at::kBFloat16},
                                       {nn::MatrixKind::Int8, at::kFloat},
                                       {nn::MatrixKind::Int8, at::kBFloat16}}) {
    const bool int8_kv = matrices == nn::MatrixKind::Int8;
    Model alone(GetParam(), gpu, matrices, type, int8_kv);
    Model together(GetParam(), gpu, matrices, type, int8_kv);
    CudaStepper one(alone.model, true);
    CudaStepper many(together.model, true);
    Talk expected(alone.config, one, kSessions);
    Talk found(together.config, many, kSessions);
    for (int time = 0; time < 60; ++time) {
      std::vector<int> sessions;
      for (int session = 0; session < kSessions; ++session) {
        if ((session * 5 + time) % (1 + time % 4) == 0) sessions.push_back(session);
        if ((session + 3 * time) % 41 == 0) {
          found.restart(session);
          expected.restart(session);
        }
      }
      const auto said = found.step(sessions, time, 0.8F);
      for (size_t i = 0; i < sessions.size(); ++i) {
        ASSERT_EQ(said[i], expected.step({sessions[i]}, time, 0.8F).front())
            << sessions[i] << ", step " << time;
      }
    }
  }
}

TEST_P(CudaStepperTest, TakesNoMemoryOnceItIsReady) {
  constexpr int kSessions = 70;
  Model model(GetParam(), gpu);
  CudaStepper stepper(model.model, true, kSessions);
  Talk talk(model.config, stepper, kSessions);
  const auto allocations = [&] {
    return at::getDeviceAllocator(at::kCUDA)->getDeviceStats(gpu.index()).num_device_alloc;
  };
  std::vector<int> sessions;
  for (int session = 0; session < kSessions; ++session) sessions.push_back(session);
  talk.step(sessions, 0, 0);
  const auto before = allocations();
  for (int time = 1; time < cuda::kPagePositions; ++time) talk.step(sessions, time, 0);
  EXPECT_EQ(allocations(), before);
  EXPECT_GT(stepper.figures().kv_bytes, 0U);
  for (const int session : sessions) stepper.reset(session);
  EXPECT_EQ(stepper.figures().kv_bytes, 0U);
}

INSTANTIATE_TEST_SUITE_P(Models, CudaStepperTest, testing::Values(kMoshi, kOther));

/// Draws the first step of a conversation of kMoshi over and over: all from the same logits.
void expect_frequencies_of_the_top_k_softmax(Stepper& stepper, int draws) {
  constexpr float kTemperature = 0.9F;
  constexpr int kTopK = 12;
  constexpr double kOneInAThousand = 31.26;  // 11 degrees of freedom.
  const Model exact(kMoshi, at::kCPU);
  const checkpoint::LmConfig& config = exact.config.lm;
  stepper.grow(kMostColumns);
  // Of text, or of the first codebook behind greedy text.
  const auto counts_of = [&](size_t stream, int card) {
    std::vector<int> counts(static_cast<size_t>(card));
    std::vector<StepRow> rows(kMostColumns);
    for (int draw = 0; draw < draws; draw += kMostColumns) {
      for (int i = 0; i < kMostColumns; ++i) {
        StepRow& row = rows[static_cast<size_t>(i)];
        row.slot = i;
        row.tokens.assign(static_cast<size_t>(config.n_q) + 1, config.card);
        row.tokens.front() = config.text_card;
        row.text = row.audio = {kTemperature, kTopK, static_cast<uint64_t>(draw + i + 1), 0};
        if (stream > 0) row.text.temperature = 0;
        stepper.reset(i);
      }
      for (const StepResult& result : stepper.step(rows)) {
        ++counts[static_cast<size_t>(result.tokens[stream])];
      }
    }
    return counts;
  };
  const auto logits_behind = [&](int64_t text) {
    at::Tensor codes = at::zeros({1, config.n_q + 1, 1}, at::kLong);
    codes[0][0][0] = text;
    return exact.model.forward(codes, {}, false);
  };
  const at::Tensor text = logits_behind(0).text[0][0][0];
  EXPECT_LT(chi_square(counts_of(0, config.text_card_out), top_k_softmax(text, kTemperature, kTopK), draws),
            kOneInAThousand);
  const at::Tensor audio = logits_behind(text.argmax().item<int64_t>()).audio[0][0][0];
  EXPECT_LT(chi_square(counts_of(1, config.card), top_k_softmax(audio, kTemperature, kTopK), draws),
            kOneInAThousand);
}

TEST(EagerStepperTest, DrawsFromTheSoftmaxOfTheTopK) {
  Model model(kMoshi, at::kCPU);
  EagerStepper stepper(model.model);
  expect_frequencies_of_the_top_k_softmax(stepper, 40 * kMostColumns);
}

using CudaStepperDraws = OnGpu;

TEST_F(CudaStepperDraws, FromTheSoftmaxOfTheTopKInTheGraph) {
  Model model(kMoshi, gpu);
  CudaStepper stepper(model.model, true);
  expect_frequencies_of_the_top_k_softmax(stepper, 1563 * kMostColumns);
}

using CudaStepperSkip = OnGpu;

TEST_F(CudaStepperSkip, TakesPagesAndGoesOn) {
  Model model(kOther, gpu);  // A context of 300 positions: five pages.
  CudaStepper stepper(model.model, true);
  Talk talk(model.config, stepper, 2);
  talk.step({0}, 0, 0);
  const uint64_t page = stepper.figures().kv_bytes;
  stepper.skip(1, 130);
  EXPECT_EQ(stepper.figures().kv_bytes, 4 * page);
  stepper.skip(1, 170);
  EXPECT_EQ(stepper.figures().kv_bytes, 6 * page);
  for (int time = 0; time < 20; ++time) {
    const auto said = talk.step({0, 1}, time, 0);
    for (const int64_t token : said.back()) {
      EXPECT_GE(token, 0);
      EXPECT_LT(token, model.config.lm.text_card);
    }
  }
  EXPECT_EQ(stepper.figures().kv_bytes, 6 * page);
  stepper.reset(1);
  EXPECT_EQ(stepper.figures().kv_bytes, page);
}

/// The warnings given while it lives.
class Warnings {
 public:
  Warnings() {
    set_warning_handler([this](const std::string& line) { lines.push_back(line); });
  }
  ~Warnings() { set_warning_handler({}); }
  std::vector<std::string> lines;
};

using MakeStepper = OnGpu;

TEST_F(MakeStepper, TakesKernelsAndGraphs) {
  const Warnings warnings;
  Model with(kMoshi, gpu);
  EXPECT_TRUE(make_stepper(with.model, true)->figures().graphs);
  Model without(kMoshi, gpu);
  const auto stepper = make_stepper(without.model, false);
  EXPECT_NE(dynamic_cast<CudaStepper*>(stepper.get()), nullptr);
  EXPECT_FALSE(stepper->figures().graphs);
  EXPECT_TRUE(warnings.lines.empty());
}

TEST_F(MakeStepper, SaysWhyItGoesWithoutKernels) {
  const Warnings warnings;
  Model odd(changed(kMoshi, "\"num_heads\": 2, \"num_layers\": 3", "\"num_heads\": 8, \"num_layers\": 3"),
            gpu);
  EXPECT_NE(dynamic_cast<EagerStepper*>(make_stepper(odd.model, true).get()), nullptr);
  EXPECT_EQ(warnings.lines,
            std::vector<std::string>{
                "the language model runs without CUDA kernels and graphs, several times slower: "
                "expected sizes they can do, found temporal head dimension 16"});
}

TEST(PagePool, HandsOutEachPageOnce) {
  PagePool pool(1000, at::kCPU);
  pool.reserve(2);
  std::set<int64_t> pages;
  for (int i = 0; i < 100; ++i) pages.insert(pool.take());
  EXPECT_EQ(pages.size(), 100U);
  EXPECT_EQ(pool.taken_bytes(), 100'000U);
  const int64_t page = *std::next(pages.begin(), 50);
  pool.give_back(page);
  EXPECT_EQ(pool.taken_bytes(), 99'000U);
  pool.keep_ready(1);
  EXPECT_EQ(pool.take(), page);
}

TEST(CudaStepperObstacle, IsNamed) {
  const auto obstacle = [](const std::string& json) {
    return CudaStepper::obstacle(checkpoint::parse_model_config(json, "config.json").lm);
  };
  EXPECT_EQ(obstacle(kMoshi), "");
  EXPECT_EQ(
      obstacle(changed(kMoshi, "\"num_heads\": 2, \"num_layers\": 3", "\"num_heads\": 8, \"num_layers\": 3")),
      "temporal head dimension 16");
  EXPECT_EQ(
      obstacle(changed(kMoshi, "\"positional_embedding\": \"rope\"", "\"positional_embedding\": \"sin\"")),
      "temporal sinusoidal positions");
  EXPECT_EQ(
      obstacle(changed(kMoshi, "\"depformer_dim_feedforward\": 192", "\"depformer_dim_feedforward\": 200")),
      "depth feed-forward 133");
}

}  // namespace
}  // namespace moshi::lm
