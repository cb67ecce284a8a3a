// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Streams of the codec through CUDA kernels give what those through LibTorch's operators on the CPU give.
#include "mimi/streams.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "checkpoint/model_files.h"
#include "mimi/cuda_decoder.h"
#include "mimi/cuda_encoder.h"
#include "moshi/moshi.h"
#include "test_codec.h"

namespace moshi::mimi {
namespace {

using checkpoint::MimiConfig;
const at::Device kGpu(at::kCUDA, 0);

/// Odd widths, three latents a frame, shortcuts, few vectors, RMSNorm, halves rotated, no layer scale.
MimiConfig odd_config() {
  MimiConfig config = small_config();
  config.sample_rate = 900;
  config.frame_rate = 50;
  config.n_filters = 5;
  config.ratios = {3, 2};
  config.n_residual_layers = 1;
  config.compress = 3;
  config.true_skip = false;
  config.elu_alpha = 0.7;
  config.dimension = config.transformer.dim = 24;
  config.quantizer_dimension = 12;
  config.bins = 20;
  config.n_q = 5;
  config.n_q_semantic = 1;
  config.transformer.norm = checkpoint::Norm::RmsNorm;
  config.transformer.position = checkpoint::PositionEmbedding::RopeConcat;
  config.transformer.layer_scale = std::nullopt;
  return config;
}

/// Latents at the rate of frames.
MimiConfig plain_config() {
  MimiConfig config = small_config();
  config.frame_rate = 50;
  return config;
}

/// Both directions of one codec, here or there.
struct Both {
  Both(const MimiConfig& config, at::Device device, bool graphs = true)
      : codec(config, std::make_shared<RememberingSource>(7, device)) {
    make(graphs);
  }
  Both(Codec loaded, bool graphs = true) : codec(std::move(loaded)) { make(graphs); }
  void make(bool graphs) {
    if (codec.device().is_cpu()) {
      streams = make_streams(codec, 2, true);
      return;
    }
    ASSERT_EQ(cuda_obstacle(codec.config()), "");
    codec.chunk();
    const auto codebooks = std::make_shared<const CudaCodebooks>(codec.quantizer());
    const auto memory = std::make_shared<WorkingMemory>(codec.device());
    streams.encoder = std::make_unique<CudaEncoder>(codec, codebooks, memory, 2, graphs);
    memory->release_all();
    streams.decoder = std::make_unique<CudaDecoder>(codec, codebooks, memory, graphs);
  }
  void grow(int64_t slots, int codebooks) {
    streams.encoder->grow(slots, codebooks);
    streams.decoder->grow(slots);
  }
  void reset(int64_t slot) {
    streams.encoder->reset(slot);
    streams.decoder->reset(slot);
  }
  Codec codec;
  Streams streams;
};

/// Speech-like noise: stream and frame say which.
std::vector<float> pcm_of(int stream, int frame, int size) {
  std::vector<float> pcm(static_cast<size_t>(size));
  uint32_t state = static_cast<uint32_t>(stream) * 7919 + static_cast<uint32_t>(frame) * 104729 + 1;
  for (float& value : pcm) {
    state = state * 1664525 + 1013904223;
    value =
        (static_cast<float>(state >> 8) / 8388608.0F - 1) * (0.2F + 0.1F * static_cast<float>(stream % 3));
  }
  return pcm;
}

std::vector<std::vector<int64_t>> encode(Both& both, const std::vector<int>& streams,
                                         const std::vector<int>& frames, int codebooks) {
  std::vector<std::vector<float>> pcm;
  std::vector<std::vector<int64_t>> codes(streams.size(),
                                          std::vector<int64_t>(static_cast<size_t>(codebooks), -1));
  for (size_t i = 0; i < streams.size(); ++i)
    pcm.push_back(pcm_of(streams[i], frames[i], both.codec.config().frame_size()));
  std::vector<EncodeRow> rows;
  for (size_t i = 0; i < streams.size(); ++i) rows.push_back({streams[i], pcm[i], codes[i]});
  both.streams.encoder->encode(rows);
  return codes;
}

std::vector<std::vector<float>> decode(Both& both, const std::vector<int>& streams,
                                       const std::vector<std::vector<int64_t>>& codes) {
  std::vector<std::vector<float>> pcm(
      streams.size(), std::vector<float>(static_cast<size_t>(both.codec.config().frame_size())));
  std::vector<DecodeRow> rows;
  for (size_t i = 0; i < streams.size(); ++i) rows.push_back({streams[i], codes[i], pcm[i]});
  both.streams.decoder->decode(rows);
  return pcm;
}

void expect_close(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-4) << i;
}

/// One stream of `frames` frames, encoded and decoded by both.
void expect_alike(Both& here, Both& there, int frames, int codebooks) {
  here.grow(1, codebooks);
  there.grow(1, codebooks);
  for (int frame = 0; frame < frames; ++frame) {
    SCOPED_TRACE(testing::Message() << "frame " << frame);
    const auto codes = encode(here, {0}, {frame}, codebooks);
    EXPECT_EQ(encode(there, {0}, {frame}, codebooks), codes);
    expect_close(decode(there, {0}, codes).front(), decode(here, {0}, codes).front());
    if (testing::Test::HasFailure()) return;
  }
}

class CudaStreams : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no CUDA device";
  }
};

TEST_F(CudaStreams, SmallAndOddCodecs) {
  for (const MimiConfig& config : {small_config(), odd_config(), plain_config()}) {
    for (const bool graphs : {false, true}) {
      SCOPED_TRACE(testing::Message() << config.n_filters << " filters, graphs " << graphs);
      Both here(config, at::kCPU);
      Both there(config, kGpu, graphs);
      expect_alike(here, there, 40, config.n_q);  // past the context
    }
  }
}

TEST_F(CudaStreams, ThePublishedSize) {
  const MimiConfig config = checkpoint::builtin_config("7b").mimi;
  Both here(config, at::kCPU);
  Both there(config, kGpu);
  expect_alike(here, there, 6, 8);
}

TEST_F(CudaStreams, TheEmbeddedModel) {
  const checkpoint::ModelFiles files = checkpoint::resolve_model("");
  const auto load = [&](at::Device device) {
    return Codec::load(files.config.mimi, checkpoint::TensorFiles::open(files.mimi), device);
  };
  Both here(load(at::kCPU));
  Both there(load(kGpu));
  expect_alike(here, there, 150, files.config.codec_codebooks());
}

TEST_F(CudaStreams, FewerCodebooksAreTheFirstOfMore) {
  Both here(small_config(), at::kCPU);
  Both there(small_config(), kGpu);
  here.grow(2, 6);
  there.grow(2, 3);
  const auto few = encode(there, {0}, {0}, 3).front();
  there.grow(2, 6);
  there.reset(0);
  const auto all = encode(there, {0}, {0}, 6).front();
  EXPECT_TRUE(std::equal(few.begin(), few.end(), all.begin()));
  // Rows of one batch may differ in it.
  const auto found = decode(there, {0, 1}, {few, all});
  const auto expected = decode(here, {0, 1}, {few, all});
  expect_close(found[0], expected[0]);
  expect_close(found[1], expected[1]);
}

/// Streams that come, pause, go and begin anew in a crowd get to the bit what they get alone.
TEST_F(CudaStreams, AnyCompany) {
  constexpr int kStreams = 70;  // More than one launch takes.
  Both alone(small_config(), kGpu);
  Both together(small_config(), kGpu);
  alone.grow(kStreams, 6);
  together.grow(3, 6);
  std::vector<int> at(kStreams, 0);
  for (int time = 0; time < 40; ++time) {
    const int most = time < 3 ? 3 : kStreams;
    if (time == 3) together.grow(kStreams, 6);
    std::vector<int> streams;
    std::vector<int> frames;
    for (int stream = 0; stream < most; ++stream) {
      if ((stream + 3 * time) % 41 == 0) {
        alone.reset(stream);
        together.reset(stream);
        at[static_cast<size_t>(stream)] = 0;
      }
      if ((stream * 5 + time) % (1 + time % 4) != 0) continue;
      streams.push_back(stream);
      frames.push_back(at[static_cast<size_t>(stream)]++);
    }
    const auto codes = encode(together, streams, frames, 6);
    const auto pcm = decode(together, streams, codes);
    for (size_t i = 0; i < streams.size(); ++i) {
      ASSERT_EQ(encode(alone, {streams[i]}, {frames[i]}, 6).front(), codes[i]) << streams[i] << ", " << time;
      ASSERT_EQ(decode(alone, {streams[i]}, {codes[i]}).front(), pcm[i]) << streams[i] << ", " << time;
    }
  }
}

TEST_F(CudaStreams, AnyCompanyAtThePublishedSize) {
  Both there(checkpoint::builtin_config("7b").mimi, kGpu);
  there.grow(64, 8);
  Both alone(checkpoint::builtin_config("7b").mimi, kGpu);
  alone.grow(1, 8);
  int frame = 0;
  for (const int count : {64, 7, 2, 33, 16, 4, 1}) {
    std::vector<int> streams;
    for (int stream = 0; stream < count; ++stream) streams.push_back(stream);
    const auto codes = encode(there, streams, std::vector<int>(streams.size(), frame), 8);
    ASSERT_EQ(encode(alone, {0}, {frame}, 8).front(), codes.front()) << count;
    ASSERT_EQ(decode(alone, {0}, {codes.front()}).front(), decode(there, streams, codes).front()) << count;
    ++frame;
  }
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

TEST_F(CudaStreams, AreTakenWhereTheyCanBe) {
  const Warnings warnings;
  Codec codec(small_config(), std::make_shared<RememberingSource>(1, kGpu));
  const Streams streams = make_streams(codec, 6, true);
  EXPECT_NE(dynamic_cast<CudaEncoder*>(streams.encoder.get()), nullptr);
  EXPECT_NE(dynamic_cast<CudaDecoder*>(streams.decoder.get()), nullptr);
  EXPECT_TRUE(warnings.lines.empty());
}

TEST_F(CudaStreams, SayWhyTheyAreNotTaken) {
  const Warnings warnings;
  MimiConfig config = small_config();
  config.quantizer_dimension = 6;
  Codec codec(config, std::make_shared<RememberingSource>(1, kGpu));
  const Streams streams = make_streams(codec, 6, true);
  EXPECT_NE(dynamic_cast<EagerEncoder*>(streams.encoder.get()), nullptr);
  EXPECT_EQ(warnings.lines,
            std::vector<std::string>{
                "the codec runs without CUDA kernels and graphs, several times slower: expected "
                "sizes they can do, found codebook dimension 6"});
}

TEST(CudaObstacle, IsNamed) {
  const auto obstacle = [](void (*change)(MimiConfig&)) {
    MimiConfig config = small_config();
    change(config);
    return cuda_obstacle(config);
  };
  EXPECT_EQ(obstacle([](MimiConfig&) {}), "");
  EXPECT_EQ(obstacle([](MimiConfig& c) { c.frame_rate = 5; }), "latents a frame 10");
  EXPECT_EQ(obstacle([](MimiConfig& c) { c.transformer.num_heads = 8; }), "head dimension 2");
  EXPECT_EQ(obstacle([](MimiConfig& c) { c.transformer.context = 5000; }), "context 5000");
  EXPECT_EQ(obstacle([](MimiConfig& c) { c.transformer.kv_repeat = 2; }), "kv_repeat 2");
  EXPECT_EQ(obstacle([](MimiConfig& c) { c.transformer.gating = checkpoint::Gating::Silu; }),
            "a gated feed-forward");
  EXPECT_EQ(obstacle([](MimiConfig& c) { c.transformer.position = checkpoint::PositionEmbedding::Sin; }),
            "sinusoidal positions");
}

}  // namespace
}  // namespace moshi::mimi
