// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The whole codec: streams in shared states, and loading from files.
#include "mimi/codec.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>

#include "moshi/moshi.h"
#include "test_codec.h"

namespace moshi::mimi {
namespace {

constexpr int64_t kFrame = 40;
constexpr int64_t kCodebooks = 6;

Codec small_codec(std::map<std::string, at::Tensor>* tensors = nullptr) {
  const auto source = std::make_shared<RememberingSource>(3);
  Codec codec(small_config(), source);
  if (tensors != nullptr) {
    *tensors = source->tensors;
  }
  return codec;
}

/// Codes [1, K, T] and PCM of a stream alone: a frame a call, a fresh state.
std::pair<at::Tensor, at::Tensor> alone(const Codec& codec, const at::Tensor& pcm) {
  const nn::Rows row = nn::Rows::first(1, at::kCPU);
  EncoderState encoder = codec.encoder().make_state(1);
  DecoderState decoder = codec.decoder().make_state(1);
  std::vector<at::Tensor> codes;
  std::vector<at::Tensor> out;
  for (const at::Tensor& frame : pcm.split(kFrame, 1)) {
    codes.push_back(codec.encoder().encode(frame, kCodebooks, encoder, row));
    out.push_back(codec.decoder().decode(codes.back(), decoder, row));
  }
  return {at::cat(codes, 2), at::cat(out, 1)};
}

TEST(Codec, SeveralFramesACallAreTheSameWithinTheContext) {
  const Codec codec = small_codec();
  const at::Tensor pcm = at::randn({1, 5 * kFrame});  // ten latents: the attention context
  const auto [codes, out] = alone(codec, pcm);
  const nn::Rows row = nn::Rows::first(1, at::kCPU);
  EncoderState encoder = codec.encoder().make_state(1);
  DecoderState decoder = codec.decoder().make_state(1);
  EXPECT_TRUE(at::equal(codec.encoder().encode(pcm, kCodebooks, encoder, row), codes));
  EXPECT_TRUE(at::allclose(codec.decoder().decode(codes, decoder, row), out, 1e-4, 1e-5));
  EXPECT_EQ(out.sizes(), at::IntArrayRef({1, 5 * kFrame}));
}

/// Streams in slots of one state, any of them at a time, equal streams alone.
TEST(Codec, StreamsThatShareAStateDoNotMeet) {
  const Codec codec = small_codec();
  constexpr int64_t frames = 20;  // past the context
  const at::Tensor pcm = at::randn({3, frames * kFrame});
  const std::vector<std::vector<int64_t>> schedule = {{0}, {0, 1}, {2, 0}, {0, 1, 2}, {1}, {2, 1}, {1, 2, 0}};
  EncoderState encoder = codec.encoder().make_state(1);
  DecoderState decoder = codec.decoder().make_state(1);
  std::vector<std::vector<at::Tensor>> codes(3);
  std::vector<std::vector<at::Tensor>> out(3);
  std::vector<int64_t> next(3, 0);
  for (size_t call = 0; next[0] < frames || next[1] < frames || next[2] < frames; ++call) {
    if (call == 1) {
      codec.encoder().grow(encoder, 3);  // slot 0 is under way
      codec.decoder().grow(decoder, 3);
    }
    if (call == 9) {  // slot 1 starts anew
      encoder.reset(1);
      decoder.reset(1);
      next[1] = 0;
      codes[1].clear();
      out[1].clear();
    }
    std::vector<int64_t> slots;
    std::vector<at::Tensor> input;
    for (const int64_t slot : schedule[call % schedule.size()]) {
      if (int64_t& frame = next[static_cast<size_t>(slot)]; frame < frames) {
        slots.push_back(slot);
        input.push_back(pcm[slot].narrow(0, kFrame * frame++, kFrame));
      }
    }
    if (slots.empty()) {
      continue;
    }
    const nn::Rows rows(slots, at::kCPU);
    const at::Tensor batch_codes = codec.encoder().encode(at::stack(input), kCodebooks, encoder, rows);
    const at::Tensor batch_out = codec.decoder().decode(batch_codes, decoder, rows);
    for (size_t row = 0; row < slots.size(); ++row) {
      codes[static_cast<size_t>(slots[row])].push_back(batch_codes[static_cast<int64_t>(row)]);
      out[static_cast<size_t>(slots[row])].push_back(batch_out[static_cast<int64_t>(row)]);
    }
  }
  for (size_t slot = 0; slot < 3; ++slot) {
    const auto [expected_codes, expected_out] = alone(codec, pcm.narrow(0, static_cast<int64_t>(slot), 1));
    EXPECT_TRUE(at::equal(at::cat(codes[slot], 1), expected_codes[0])) << slot;
    EXPECT_TRUE(at::allclose(at::cat(out[slot], 0), expected_out[0], 1e-4, 1e-5)) << slot;
  }
}

TEST(Codec, WithoutResampling) {
  auto config = small_config();
  config.frame_rate = 50;
  const Codec codec(config, std::make_shared<RememberingSource>(4));
  const nn::Rows row = nn::Rows::first(1, at::kCPU);
  EncoderState encoder = codec.encoder().make_state(1);
  DecoderState decoder = codec.decoder().make_state(1);
  const at::Tensor codes = codec.encoder().encode(at::randn({1, 60}), kCodebooks, encoder, row);
  EXPECT_EQ(codes.sizes(), at::IntArrayRef({1, kCodebooks, 3}));
  EXPECT_EQ(codec.decoder().decode(codes, decoder, row).sizes(), at::IntArrayRef({1, 60}));
  codec.encoder().grow(encoder, 2);
  codec.decoder().grow(decoder, 2);
  encoder.reset(0);
  decoder.reset(0);
  EXPECT_EQ(codec.decoder().decode(codes, decoder, nn::Rows({1}, at::kCPU)).size(1), 60);
}

TEST(Codec, Bytes) {
  std::map<std::string, at::Tensor> tensors;
  const Codec codec = small_codec(&tensors);
  uint64_t weights = 0;
  for (const auto& [name, tensor] : tensors) {
    weights += tensor.nbytes();
  }
  EXPECT_EQ(codec.weight_bytes(), weights);
  // Rings: 2 layers, keys and values, 10 positions of 16. Convolutions, steps times channels: the
  // first, then per stage two residual blocks and a strided one, then the last, then resampling.
  constexpr uint64_t rings = 2 * 2 * 10 * 16;
  constexpr uint64_t down = 6 * 1 + (2 + 4) * 4 + 4 * 4 + (2 + 4) * 8 + 5 * 8 + 2 * 16 + 2 * 16;
  constexpr uint64_t up = 6 * 16 + 1 * 16 + (2 + 4) * 8 + 1 * 8 + (2 + 4) * 4 + 2 * 4 + 1 * 16;
  EXPECT_EQ(codec.encoder().slot_bytes(codec.encoder().make_state(3)), 4 * (rings + down));
  EXPECT_EQ(codec.decoder().slot_bytes(codec.decoder().make_state(3)), 4 * (rings + up));
}

class CodecFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(testing::TempDir()) /
            (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + ".safetensors");
    codec_.emplace(small_codec(&tensors_));
  }
  void TearDown() override { std::filesystem::remove(path_); }

  Codec load() { return Codec::load(small_config(), checkpoint::TensorFiles::open(path_), at::kCPU); }
  /// Loads and returns the message of the WrongType error that must come.
  std::string message() {
    try {
      load();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::WrongType);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  std::filesystem::path path_;
  std::map<std::string, at::Tensor> tensors_;
  std::optional<Codec> codec_;
};

TEST_F(CodecFile, AllNamesAttentionAndCodebooksHaveHadLoadAlike) {
  const at::Tensor pcm = at::randn({1, 4 * kFrame});
  const auto [codes, out] = alone(*codec_, pcm);
  const std::vector<std::vector<std::pair<std::string, std::string>>> namings = {
      {{"out_proj_weight", "out_proj.weight"}},
      {{"in_proj_weight", "in_proj.weight"}, {"out_proj_weight", "out_proj.weight"}},
      {{"in_proj_weight", "in_projs.0.weight"}, {"out_proj_weight", "out_projs.0.weight"}},
      {{"cluster_usage", "cluster_size"}, {"embedding_sum", "embed_sum"}},
      {{"embedding_sum", "embed_avg"}},
  };
  for (const auto& naming : namings) {
    auto tensors = tensors_;
    tensors["quantizer.rvq_first.vq.layers.0._codebook._initialized"] = at::ones({1});
    tensors["quantizer.rvq_rest.vq.layers.0._codebook.inited"] = at::ones({1});
    write_tensors(path_, tensors, [&](std::string name) {
      for (const auto& [from, to] : naming) {
        name = std::regex_replace(name, std::regex(from + "$"), to);
      }
      return name;
    });
    const auto [loaded_codes, loaded_out] = alone(load(), pcm);
    EXPECT_TRUE(at::equal(loaded_codes, codes));
    EXPECT_TRUE(at::equal(loaded_out, out));
  }
}

TEST_F(CodecFile, OtherFloatingPointTypesBecomeF32) {
  write_tensors(
      path_, tensors_, [](const std::string& name) { return name; }, at::kBFloat16);
  const auto [codes, out] = alone(load(), at::randn({1, 2 * kFrame}));
  EXPECT_EQ(out.scalar_type(), at::kFloat);
}

TEST_F(CodecFile, MissingTensor) {
  write_tensors(path_, tensors_,
                [](const std::string& name) { return name == "encoder.model.0.conv.conv.bias" ? "" : name; });
  const std::string text = message();
  EXPECT_NE(text.find("encoder.model.0.conv.conv.bias is missing; expected [4]"), std::string::npos) << text;
}

TEST_F(CodecFile, WrongShape) {
  tensors_["downsample.conv.conv.conv.weight"] = at::zeros({16, 16, 6});
  write_tensors(path_, tensors_, [](const std::string& name) { return name; });
  const std::string text = message();
  EXPECT_NE(text.find("downsample.conv.conv.conv.weight has shape [16, 16, 6], expected [16, 16, 4]"),
            std::string::npos)
      << text;
}

TEST_F(CodecFile, TensorWithoutAPlace) {
  tensors_["decoder.model.99.conv.conv.bias"] = at::zeros({4});
  write_tensors(path_, tensors_, [](const std::string& name) { return name; });
  const std::string text = message();
  EXPECT_NE(text.find("decoder.model.99.conv.conv.bias belongs to no part"), std::string::npos) << text;
}

TEST_F(CodecFile, LayoutOfTheTransformersLibrary) {
  write_tensors(path_, {{"encoder.layers.0.conv.weight", at::zeros({4, 1, 7})}},
                [](const std::string& name) { return name; });
  const std::string text = message();
  EXPECT_NE(text.find("tokenizer-e351c8d8-checkpoint125.safetensors"), std::string::npos) << text;
}

TEST(CodecConfig, Contradictions) {
  const auto message = [](void (*change)(checkpoint::MimiConfig&)) -> std::string {
    auto config = small_config();
    change(config);
    try {
      const Codec codec(config, std::make_shared<RememberingSource>(1));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Settings);
      return error.what();
    }
    return "no error";
  };
  using Config = checkpoint::MimiConfig;
  EXPECT_NE(message([](Config& c) { c.channels = 2; }).find("expected channels 1, found 2"),
            std::string::npos);
  EXPECT_NE(
      message([](Config& c) { c.dimension = 32; }).find("d_model equal to the seanet dimension 32, found 16"),
      std::string::npos);
  EXPECT_NE(message([](Config& c) { c.transformer.causal = false; }).find("causal"), std::string::npos);
  EXPECT_NE(
      message([](Config& c) { c.n_q_semantic = 6; }).find("n_q_semantic in [1, n_q - 1], found 6 with n_q 6"),
      std::string::npos);
  EXPECT_NE(message([](Config& c) { c.frame_rate = 30; }).find("product 20"), std::string::npos);
}

}  // namespace
}  // namespace moshi::mimi
