// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The public interface over a small model of random weights.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "moshi/moshi.h"
#include "small_codec.h"

namespace moshi {
namespace {

constexpr const char* kConfig = R"({
  "dim": 32, "num_heads": 2, "num_layers": 2, "hidden_scale": 4.125, "context": 12,
  "norm": "rms_norm_f32", "positional_embedding": "rope", "gating": "silu", "causal": true,
  "n_q": 4, "dep_q": 2, "card": 24, "text_card": 40, "delays": [0, 0, 1, 0, 1],
  "depformer_dim": 16, "depformer_num_heads": 2, "depformer_num_layers": 1, "depformer_gating": "silu",
  "depformer_pos_emb": "none", "depformer_multi_linear": true, "depformer_weights_per_step": true,
  "mimi_config_name": "mimi.json"})";

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::Failed;
}

struct ContextTest : testing::Test {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("moshi-context-test-" + std::to_string(getpid()));
  ContextOptions options;

  ContextTest() {
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "config.json") << kConfig;
    std::ofstream(directory / "mimi.json") << small_codec(24);
    options.random_weights = (directory / "config.json").string();
    options.device = "cpu";
  }
  ~ContextTest() override { std::filesystem::remove_all(directory); }

  std::shared_ptr<ExecutionContext> loaded() const {
    auto context = ExecutionContext::acquire(options);
    context->load_codec();
    context->load_lm({});
    return context;
  }
};

std::vector<float> tone(const ExecutionContext& context, int frame, float pitch) {
  std::vector<float> pcm(static_cast<size_t>(context.codec().frame_size));
  for (size_t i = 0; i < pcm.size(); ++i) {
    const auto sample = static_cast<float>(frame) * static_cast<float>(pcm.size()) + static_cast<float>(i);
    pcm[i] = 0.5F * std::sin(pitch * sample / 1000);
  }
  return pcm;
}

LmFrame step(LmSession& session, uint16_t code) {
  LmFrame frame;
  session.submit(std::vector<uint16_t>{code, code});
  session.await(frame);
  return frame;
}

TEST_F(ContextTest, InfoComesFromTheConfiguration) {
  const auto context = ExecutionContext::acquire(options);
  EXPECT_EQ(context->codec().frame_size, 1920);
  EXPECT_EQ(context->codec().frame_ns, 80000000);
  EXPECT_EQ(context->codec().codebooks, 2);
  EXPECT_EQ(context->codec().codebooks_max, 4);
  EXPECT_EQ(context->codec().cardinality, 24);
  EXPECT_EQ(context->lm().user_codebooks, 2);
  EXPECT_EQ(context->lm().max_delay, 1);
  EXPECT_EQ(context->lm().sampling.audio_top_k, 250);
}

TEST_F(ContextTest, OneContextPerModelDeviceAndId) {
  const auto first = ExecutionContext::acquire(options);
  EXPECT_EQ(first, ExecutionContext::acquire(options));
  ContextOptions apart = options;
  apart.context_id = "mine";
  EXPECT_NE(first, ExecutionContext::acquire(apart));
  ContextOptions threads = options;
  threads.threads = 2;
  EXPECT_EQ(message_of([&] { ExecutionContext::acquire(threads); }),
            "threads: expected 1 as the context has, found 2: use the same value or another context-id");
  ContextOptions no_graphs = options;
  no_graphs.graphs = false;
  EXPECT_EQ(
      message_of([&] { ExecutionContext::acquire(no_graphs); }),
      "graphs: expected true as the context has, found false: use the same value or another context-id");
}

TEST_F(ContextTest, BadOptionsAreNamed) {
  ContextOptions both = options;
  both.model = "somewhere";
  EXPECT_EQ(code_of([&] { ExecutionContext::acquire(both); }), ErrorCode::Settings);
  ContextOptions threads = options;
  threads.threads = 0;
  EXPECT_EQ(message_of([&] { ExecutionContext::acquire(threads); }), "threads: expected 1 or more, found 0");
  ContextOptions device = options;
  device.device = "gpu";
  EXPECT_EQ(message_of([&] { ExecutionContext::acquire(device); }),
            "device: expected auto, cpu, cuda or cuda:N, found gpu");
  device.device = "cuda:99";
  EXPECT_EQ(code_of([&] { ExecutionContext::acquire(device); }), ErrorCode::NoDevice);
}

TEST_F(ContextTest, LoadTimeSettingsThatDisagreeNameBoth) {
  const auto context = ExecutionContext::acquire(options);
  context->load_lm({Precision::F32, 2, false});
  context->load_lm({Precision::Auto, 0, false});
  EXPECT_EQ(message_of([&] {
              context->load_lm({Precision::BF16, 0, false});
            }),
            "precision: expected f32 as the model is loaded, found bf16: use the same value or another "
            "context-id");
  EXPECT_EQ(
      message_of([&] {
        context->load_lm({Precision::Auto, 3, false});
      }),
      "max-sessions: expected 2 as the model is loaded, found 3: use the same value or another context-id");
  LmOptions small;
  small.kv_precision = KvPrecision::Int8;
  EXPECT_EQ(message_of([&] { context->load_lm(small); }),
            "kv-precision: expected auto as the model is loaded, found int8: use the same value or another "
            "context-id");
}

TEST_F(ContextTest, SessionsNeedTheirPart) {
  const auto context = ExecutionContext::acquire(options);
  EXPECT_EQ(message_of([&] { context->open_encoder(); }),
            "expected a loaded codec, found none: call load_codec first");
  EXPECT_EQ(message_of([&] { context->open_lm({}); }),
            "expected a loaded language model, found none: call load_lm first");
}

// Progress adds up the bytes of each read: had one tensor been read twice, or not at all, it would not end
// at 1.
TEST(EmbeddedModel, LoadsEachTensorOnce) {
  ContextOptions options;
  options.device = "cpu";
  std::vector<double> fractions;
  ExecutionContext::acquire(options)->load_lm({Precision::F32, 0, true},
                                              [&](double fraction) { fractions.push_back(fraction); });
  EXPECT_EQ(fractions.size(), check_model("").lm_tensors);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(fractions.back(), 1.0);
}

TEST_F(ContextTest, SlotsRunOutAndComeBack) {
  const auto context = ExecutionContext::acquire(options);
  context->load_lm({Precision::Auto, 2, false});
  auto first = context->open_lm({});
  const auto second = context->open_lm({});
  EXPECT_EQ(code_of([&] { context->open_lm({}); }), ErrorCode::Busy);
  first.reset();
  EXPECT_TRUE(context->open_lm({})->seed() != 0);
}

TEST_F(ContextTest, BadFramesAreRefusedBeforeTheyReachTheModel) {
  const auto context = loaded();
  const auto encoder = context->open_encoder();
  EXPECT_EQ(message_of([&] { encoder->submit(std::vector<float>(100)); }),
            "pcm: expected 1920 values a frame, found 100");
  const auto decoder = context->open_decoder();
  EXPECT_EQ(message_of([&] {
              decoder->submit(std::vector<uint16_t>{1, 24});
            }),
            "expected codes from 0 to 23, found 24: use codes of this model's codec");
  EXPECT_EQ(message_of([&] { decoder->submit(std::vector<uint16_t>{1}); }),
            "codes: expected 2 values a frame, found 1");
  const auto session = context->open_lm({});
  session->submit(std::vector<uint16_t>{24, 24});  // the end-of-input mark
  LmFrame frame;
  session->await(frame);
  EXPECT_EQ(code_of([&] { session->submit(std::vector<uint16_t>{25, 0}); }), ErrorCode::OutOfRange);
  EXPECT_EQ(message_of([&] { context->open_encoder(5); }),
            "codebooks: expected 1 to 4 (or 0 for the model's own), found 5");
  LmSessionOptions guided;
  guided.sampling.cfg_coef = 2;
  EXPECT_EQ(code_of([&] { context->open_lm(guided); }), ErrorCode::Settings);
  LmSessionOptions condition;
  condition.conditions = {{"mood", "good"}};
  EXPECT_EQ(
      message_of([&] { context->open_lm(condition); }),
      "expected a condition of this model (it has none), found mood: leave it out or choose one of them");
}

TEST_F(ContextTest, CodecSessionsSharingBatchesEqualLoneOnes) {
  const auto context = loaded();
  constexpr int kFrames = 30;
  const auto alone = [&](float pitch) {
    const auto encoder = context->open_encoder(4);
    std::vector<uint16_t> all;
    for (int frame = 0; frame < kFrames; ++frame) {
      std::vector<uint16_t> codes(4);
      encoder->submit(tone(*context, frame, pitch));
      encoder->await(codes);
      all.insert(all.end(), codes.begin(), codes.end());
    }
    return all;
  };
  const std::vector<float> pitches = {20, 35, 50};
  std::vector<std::vector<uint16_t>> expected;
  for (const float pitch : pitches) {
    expected.push_back(alone(pitch));
  }
  std::vector<std::unique_ptr<EncoderSession>> sessions;
  std::vector<std::vector<uint16_t>> got(3);
  for (size_t i = 0; i < 3; ++i) {
    sessions.push_back(context->open_encoder(4));
  }
  std::vector<int> position(3, 0);
  for (int round = 0; round < 100; ++round) {
    std::vector<size_t> who;
    {
      const auto hold = context->hold();
      for (size_t i = 0; i < 3; ++i) {
        if ((static_cast<size_t>(round) * 5 + i * 3) % 4 < 2 && position[i] < kFrames) {
          sessions[i]->submit(tone(*context, position[i]++, pitches[i]));
          who.push_back(i);
        }
      }
    }
    for (const size_t i : who) {
      std::vector<uint16_t> codes(4);
      sessions[i]->await(codes);
      got[i].insert(got[i].end(), codes.begin(), codes.end());
    }
  }
  EXPECT_EQ(got, expected);
}

TEST_F(ContextTest, DecodingIsTheSameAfterAReset) {
  const auto context = loaded();
  const auto decoder = context->open_decoder();
  const auto run = [&] {
    std::vector<float> all;
    for (uint16_t code = 0; code < 10; ++code) {
      std::vector<float> pcm(static_cast<size_t>(context->codec().frame_size));
      decoder->submit(std::vector<uint16_t>{code, static_cast<uint16_t>(23 - code)});
      decoder->await(pcm);
      all.insert(all.end(), pcm.begin(), pcm.end());
    }
    return all;
  };
  const auto first = run();
  const auto continued = run();
  decoder->reset();
  EXPECT_EQ(first, run());
  EXPECT_NE(first, continued);
}

TEST_F(ContextTest, TheSameSeedSpeaksTheSameInAnyCompany) {
  const auto context = loaded();
  LmSessionOptions one;
  one.sampling.seed = 5;
  const auto alone = [&] {
    const auto session = context->open_lm(one);
    std::vector<int32_t> tokens;
    for (uint16_t i = 0; i < 30; ++i) {
      const LmFrame frame = step(*session, i % 24);
      tokens.push_back(frame.text);
      tokens.insert(tokens.end(), frame.audio.begin(), frame.audio.end());
    }
    return tokens;
  };
  const auto expected = alone();
  EXPECT_EQ(expected[0], -2);
  EXPECT_EQ(expected, alone());

  const auto session = context->open_lm(one);
  LmSessionOptions greedy;
  greedy.sampling.greedy = true;
  LmSessionOptions other;
  other.sampling.seed = 6;
  const std::vector<std::unique_ptr<LmSession>> company = [&] {
    std::vector<std::unique_ptr<LmSession>> sessions;
    sessions.push_back(context->open_lm(greedy));
    sessions.push_back(context->open_lm(other));
    return sessions;
  }();
  std::vector<int32_t> got;
  for (uint16_t i = 0; i < 30; ++i) {
    {
      const auto hold = context->hold();
      session->submit(std::vector<uint16_t>{static_cast<uint16_t>(i % 24), static_cast<uint16_t>(i % 24)});
      company[i % 2]->submit(std::vector<uint16_t>{3, 4});
    }
    LmFrame frame;
    LmFrame theirs;
    session->await(frame);
    company[i % 2]->await(theirs);
    got.push_back(frame.text);
    got.insert(got.end(), frame.audio.begin(), frame.audio.end());
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(session->stats().batch_mean, 2);
}

TEST_F(ContextTest, ACancelledSessionGoesOnAfterAReset) {
  const auto context = loaded();
  const auto session = context->open_lm({});
  Cancellation cancel;
  auto hold = context->hold();
  session->submit(std::vector<uint16_t>{1, 2});
  auto waiting = std::async(std::launch::async, [&] {
    LmFrame frame;
    return code_of([&] { session->await(frame, &cancel); });
  });
  cancel.cancel();
  EXPECT_EQ(waiting.get(), ErrorCode::Cancelled);
  hold.reset();
  session->reset();
  EXPECT_FALSE(step(*session, 1).ready);
  EXPECT_TRUE(step(*session, 1).ready);
}

TEST_F(ContextTest, AContextOutlivesItsUsersHandle) {
  auto context = loaded();
  const auto session = context->open_lm({});
  context.reset();
  EXPECT_FALSE(step(*session, 1).ready);
}

TEST_F(ContextTest, ForwardChecksItsCodes) {
  const auto context = loaded();
  std::vector<int64_t> codes(5 * 7, 3);
  const ForwardResult result = context->forward(codes, 1, 7, true);
  EXPECT_EQ(result.logits.size(), 2U * 7 * 24);
  EXPECT_EQ(result.text_logits.size(), 7U * 40);
  EXPECT_EQ(result.mask.size(), 2U * 7);
  codes[5] = 41;
  codes[0] = 41;
  EXPECT_EQ(message_of([&] { context->forward(codes, 1, 7, false); }),
            "codes: expected values from -1 to 40 in row 0, found 41");
  EXPECT_EQ(message_of([&] { context->forward(codes, 2, 7, false); }),
            "codes: expected batch * 5 * steps values, found 35");
}

TEST_F(ContextTest, StatsTellSizes) {
  const auto context = loaded();
  const ContextStats stats = context->stats();
  EXPECT_EQ(stats.device, "cpu");
  EXPECT_FALSE(stats.device_name.empty());
  EXPECT_EQ(stats.precision, "f32");
  EXPECT_GT(stats.lm_weight_bytes, stats.lm_step_bytes);
  EXPECT_GT(stats.codec_weight_bytes, 0U);
  // Two layers, keys and values, 32 floats.
  EXPECT_EQ(stats.kv_page_bytes, 2U * 2 * 32 * 4);
  EXPECT_EQ(stats.kv_precision, "auto");
}

TEST_F(ContextTest, ConversationsCanHaveAHistory) {
  const auto context = loaded();
  // As long as the context, or longer, and begun anew in between.
  for (const int history : {5, 12, 100}) {
    LmSessionOptions with;
    with.history = history;
    const auto session = context->open_lm(with);
    const std::vector<uint16_t> codes(static_cast<size_t>(context->lm().user_codebooks), 3);
    LmFrame frame;
    for (int step = 0; step < 30; ++step) {
      if (step == 15) session->reset();
      session->submit(codes);
      session->await(frame);
      EXPECT_EQ(frame.ready, step % 15 >= context->lm().max_delay);
    }
  }
  EXPECT_GE(context->stats().kv_bytes, 12 * context->stats().kv_page_bytes);
  EXPECT_GT(context->stats().memory_used_bytes, context->stats().lm_weight_bytes);
}

TEST_F(ContextTest, TracesWhatRuns) {
  const auto context = loaded();
  const auto session = context->open_encoder();
  const std::filesystem::path file = directory / "trace.json";
  context->trace(file.string(), [&] {
    const std::vector<float> pcm(static_cast<size_t>(context->codec().frame_size));
    std::vector<uint16_t> codes(static_cast<size_t>(context->codec().codebooks));
    session->submit(pcm);
    session->await(codes);
  });
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  EXPECT_NE(text.str().find("\"encode\""), std::string::npos);
  EXPECT_EQ(code_of([&] { context->trace((directory / "none" / "trace.json").string(), [] {}); }),
            ErrorCode::NotFound);
  EXPECT_EQ(
      message_of([&] { context->trace(file.string(), [] { throw Error(ErrorCode::Failed, "mine"); }); }),
      "mine");
}

TEST(Devices, TheCpuIsLastAndUsable) {
  const auto devices = list_devices();
  ASSERT_FALSE(devices.empty());
  EXPECT_EQ(devices.back().name, "cpu");
  EXPECT_TRUE(devices.back().usable);
  EXPECT_GT(devices.back().memory_bytes, devices.back().free_bytes);
  EXPECT_FALSE(build_info().libtorch.empty());
}

}  // namespace
}  // namespace moshi
