// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/token_ring.h"

#include <gtest/gtest.h>

namespace moshi::lm {
namespace {

constexpr int64_t kText = 100;   // initial text token
constexpr int64_t kAudio = 200;  // initial audio token

/// Symbols: 1000 * row + 10 * call, plus 1 for what the model generates.
int64_t generated(int64_t row, int64_t call) { return 1000 * row + 10 * call + 1; }
int64_t user(int64_t row, int64_t call) { return 1000 * row + 10 * call; }

/// Runs `calls` calls of a model with one text row, `made` generated rows and the rest the user's.
struct Simulation {
  std::vector<std::vector<int64_t>> inputs;
  std::vector<std::vector<int64_t>> outputs;
  std::vector<bool> ready;

  Simulation(const std::vector<int>& delays, int made, int64_t calls) {
    TokenRing ring(delays, made, kText, kAudio);
    const auto rows = static_cast<int64_t>(delays.size());
    for (int64_t call = 0; call < calls; ++call) {
      std::vector<int64_t> codes;
      for (int64_t row = made + 1; row < rows; ++row) {
        codes.push_back(user(row, call));
      }
      std::vector<int64_t> tokens;
      for (int64_t row = 0; row <= made; ++row) {
        tokens.push_back(generated(row, call));
      }
      inputs.emplace_back(delays.size());
      ring.begin(codes, inputs.back());
      outputs.emplace_back(tokens.size());
      ready.push_back(ring.finish(tokens, outputs.back()));
    }
  }
};

// Rows: text 0, semantic 0, acoustic 1; user semantic 0, user acoustic 1.
TEST(TokenRing, FollowsMoshisTable) {
  const Simulation run({0, 0, 1, 0, 1}, 2, 4);
  EXPECT_EQ(run.inputs[0], (std::vector<int64_t>{kText, kAudio, kAudio, kAudio, kAudio}));
  EXPECT_EQ(run.inputs[1],
            (std::vector<int64_t>{generated(0, 0), generated(1, 0), kAudio, user(3, 1), kAudio}));
  EXPECT_EQ(run.inputs[2], (std::vector<int64_t>{generated(0, 1), generated(1, 1), generated(2, 1),
                                                 user(3, 2), user(4, 1)}));
  EXPECT_EQ(run.ready, (std::vector<bool>{false, true, true, true}));
  EXPECT_EQ(run.outputs[0], (std::vector<int64_t>{kUngenerated, kUngenerated, kUngenerated}));
  // Frame 1: text and semantic of call 0, acoustic of call 1.
  EXPECT_EQ(run.outputs[1], (std::vector<int64_t>{generated(0, 0), generated(1, 0), generated(2, 1)}));
  EXPECT_EQ(run.outputs[3], (std::vector<int64_t>{generated(0, 2), generated(1, 2), generated(2, 3)}));
}

TEST(TokenRing, TheFirstUserFrameIsNeverSeen) {
  for (const int delay : {0, 1, 2}) {
    const Simulation run({0, delay, 0, delay}, 1, 8);
    for (const auto& input : run.inputs) {
      EXPECT_NE(input[2], user(2, 0));
      EXPECT_NE(input[3], user(3, 0));
    }
  }
}

TEST(TokenRing, InitialTokensStandUpToTheDelayItself) {
  const Simulation run({0, 2, 0, 2}, 1, 5);
  for (size_t call = 0; call < 5; ++call) {
    EXPECT_EQ(run.inputs[call][0] == kText, call == 0) << call;
    EXPECT_EQ(run.inputs[call][1] == kAudio, call <= 2) << call;
    EXPECT_EQ(run.inputs[call][3] == kAudio, call <= 2) << call;
  }
  EXPECT_EQ(run.ready, (std::vector<bool>{false, false, true, true, true}));
}

TEST(TokenRing, WithoutDelaysTheFirstCallAnswers) {
  const Simulation run({0, 0, 0}, 0, 3);
  EXPECT_EQ(run.ready, (std::vector<bool>{true, true, true}));
  EXPECT_EQ(run.outputs[0], (std::vector<int64_t>{generated(0, 0)}));
  EXPECT_EQ(run.inputs[1], (std::vector<int64_t>{generated(0, 0), user(1, 1), user(2, 1)}));
}

TEST(TokenRing, ResetStartsAnew) {
  TokenRing ring({0, 1, 1}, 1, kText, kAudio);
  std::vector<int64_t> input(3);
  std::vector<int64_t> output(2);
  const auto call = [&] {
    ring.begin(std::vector<int64_t>{7}, input);
    return ring.finish(std::vector<int64_t>{1, 2}, output);
  };
  call();
  EXPECT_TRUE(call());
  ring.reset();
  EXPECT_FALSE(call());
  EXPECT_EQ(input, (std::vector<int64_t>{kText, kAudio, kAudio}));
}

}  // namespace
}  // namespace moshi::lm
