// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The codec's parts one by one, against formulas evaluated here.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "mimi/quantizer.h"
#include "mimi/resample.h"
#include "mimi/seanet.h"
#include "test_codec.h"

namespace moshi::mimi {
namespace {

const nn::Rows& one_row() {
  static const nn::Rows rows = nn::Rows::first(1, at::kCPU);
  return rows;
}

struct Parts {
  explicit Parts(checkpoint::MimiConfig changed = small_config())
      : config(std::move(changed)), source(std::make_shared<RememberingSource>(1)) {}
  checkpoint::MimiConfig config;
  std::shared_ptr<RememberingSource> source;
  [[nodiscard]] nn::Weights weights() const { return nn::Weights(source); }
};

TEST(Downsample, BeginsWithTheFirstLatentRepeated) {
  const Parts parts;
  const Downsample downsample(parts.config, parts.weights());
  const at::Tensor weight = parts.source->tensors.at("conv.conv.conv.weight");  // [out, in, 4]
  const at::Tensor x = at::randn({1, 6, 16});
  const auto window = [&](std::vector<int64_t> steps) {
    return at::einsum("ti,oit->o", {x[0].index_select(0, at::tensor(steps)), weight});
  };
  Downsample::State state = downsample.make_state(2);
  for (const int64_t slot : {1, 1, 0}) {  // a stream, the same slot after a reset, a slot that starts late
    state.started[static_cast<size_t>(slot)] = false;
    const nn::Rows rows({slot}, at::kCPU);
    const at::Tensor y =
        at::cat({downsample(x.narrow(1, 0, 2), state, rows), downsample(x.narrow(1, 2, 4), state, rows)}, 1);
    EXPECT_TRUE(at::allclose(y[0][0], window({0, 0, 0, 1}), 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(y[0][1], window({0, 1, 2, 3}), 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(y[0][2], window({2, 3, 4, 5}), 1e-5, 1e-5));
  }
}

TEST(Upsample, EachFrameReachesIntoTheNext) {
  const Parts parts;
  const Upsample upsample(parts.config, parts.weights());
  const at::Tensor w = parts.source->tensors.at("convtr.convtr.convtr.weight").squeeze(1);  // [channel, 4]
  at::Tensor history = upsample.make_history(1);
  at::Tensor impulse = at::zeros({1, 2, 16});
  impulse[0][0][3] = 2;  // channel 3 of the first of two frames, then one frame alone
  const at::Tensor y = at::cat(
      {upsample(impulse, history, one_row()), upsample(at::zeros({1, 1, 16}), history, one_row())}, 1);
  at::Tensor expected = at::zeros({1, 6, 16});
  expected[0].narrow(0, 0, 4).select(1, 3).copy_(w[3] * 2);
  EXPECT_TRUE(at::equal(y, expected));
}

TEST(Upsample, StreamsFrameByFrame) {
  const Parts parts;
  const Upsample upsample(parts.config, parts.weights());
  const at::Tensor x = at::randn({1, 3, 16});
  at::Tensor whole_history = upsample.make_history(1);
  at::Tensor history = upsample.make_history(1);
  const at::Tensor whole = upsample(x, whole_history, one_row());
  for (int64_t frame = 0; frame < 3; ++frame) {
    EXPECT_TRUE(
        at::equal(upsample(x.narrow(1, frame, 1), history, one_row()), whole.narrow(1, 2 * frame, 2)));
  }
}

/// Codes by distances in double precision, latents [N, dimension].
at::Tensor exact_codes(const RememberingSource& source, const std::string& rvq, const at::Tensor& latents,
                       int levels) {
  at::Tensor residual =
      latents.to(at::kDouble)
          .matmul(source.tensors.at(rvq + ".input_proj.weight").squeeze(2).t().to(at::kDouble));
  std::vector<at::Tensor> codes;
  for (int level = 0; level < levels; ++level) {
    const std::string book = rvq + ".vq.layers." + std::to_string(level) + "._codebook.";
    const at::Tensor vectors = (source.tensors.at(book + "embedding_sum") /
                                source.tensors.at(book + "cluster_usage").clamp_min(1e-5).unsqueeze(1))
                                   .to(at::kDouble);
    codes.push_back((residual.unsqueeze(1) - vectors.unsqueeze(0)).pow(2).sum(-1).argmin(-1));
    residual = residual - vectors.index_select(0, codes.back());
  }
  return at::stack(codes, 1);
}

TEST(Quantizer, FindsTheNearestVectors) {
  for (const int bins : {40, 20}) {  // either form of torch.cdist
    auto config = small_config();
    config.bins = bins;
    const Parts parts(config);
    const Quantizer quantizer(config, parts.weights());
    const at::Tensor x = at::randn({2, 30, 16});
    const at::Tensor codes = quantizer.encode(x, 6);
    ASSERT_EQ(codes.sizes(), at::IntArrayRef({2, 6, 30}));
    const at::Tensor rows = x.flatten(0, 1);
    const at::Tensor expected = at::cat(
        {exact_codes(*parts.source, "rvq_first", rows, 2), exact_codes(*parts.source, "rvq_rest", rows, 4)},
        1);
    EXPECT_TRUE(at::equal(codes.transpose(1, 2).flatten(0, 1), expected));
    EXPECT_TRUE(at::equal(quantizer.encode(x, 3), codes.narrow(1, 0, 3)));
    EXPECT_TRUE(at::equal(quantizer.encode(x, 2), codes.narrow(1, 0, 2)));
    EXPECT_TRUE(at::equal(quantizer.encode(x.narrow(1, 7, 1), 6), codes.narrow(2, 7, 1)));
  }
}

TEST(Quantizer, IsTheSameInChunks) {
  const Parts parts;
  Quantizer quantizer(parts.config, parts.weights());
  const at::Tensor x = at::randn({2, 30, 16});
  const at::Tensor codes = quantizer.encode(x, 6);
  const at::Tensor latents = quantizer.decode(codes);
  quantizer.chunk();
  EXPECT_TRUE(at::equal(quantizer.encode(x, 6), codes));
  EXPECT_TRUE(at::equal(quantizer.decode(codes), latents));
}

/// A source whose codebooks hold every vector twice.
class TwinsSource final : public nn::TensorSource {
 public:
  [[nodiscard]] bool has(const std::string&) const override { return false; }
  at::Tensor load(const std::string& name, at::IntArrayRef shape, std::optional<at::ScalarType>) override {
    if (name.ends_with("embedding_sum")) {
      return at::randn({shape[0] / 2, shape[1]}).repeat({2, 1});
    }
    return name.ends_with("cluster_usage") ? at::ones(shape) : at::randn(shape);
  }
};

TEST(Quantizer, TakesTheLowestIndexOfEquals) {
  const auto config = small_config();
  const Quantizer quantizer(config, nn::Weights(std::make_shared<TwinsSource>()));
  EXPECT_LT(quantizer.encode(at::randn({1, 50, 16}), 6).max().item<int64_t>(), config.bins / 2);
}

TEST(Quantizer, UnusedCodebookVectorsAreDividedByTheSmallestUsage) {
  const Parts parts;
  const Quantizer quantizer(parts.config, parts.weights());
  auto tensors = parts.source->tensors;
  tensors.at("rvq_first.vq.layers.0._codebook.cluster_usage").zero_();
  class Again final : public nn::TensorSource {
   public:
    explicit Again(std::map<std::string, at::Tensor> tensors) : tensors_(std::move(tensors)) {}
    [[nodiscard]] bool has(const std::string& name) const override { return tensors_.contains(name); }
    at::Tensor load(const std::string& name, at::IntArrayRef, std::optional<at::ScalarType>) override {
      return tensors_.at(name);
    }

   private:
    std::map<std::string, at::Tensor> tensors_;
  };
  const Quantizer unused(parts.config, nn::Weights(std::make_shared<Again>(tensors)));
  const at::Tensor vector = tensors.at("rvq_first.vq.layers.0._codebook.embedding_sum")[5] / 1e-5F;
  const at::Tensor expected = tensors.at("rvq_first.output_proj.weight").squeeze(2).matmul(vector);
  EXPECT_TRUE(at::allclose(unused.decode(at::full({1, 1, 1}, 5, at::kLong)).flatten(), expected, 1e-5));
}

TEST(Quantizer, DecodesSumsOfLevels) {
  const Parts parts;
  const Quantizer quantizer(parts.config, parts.weights());
  const auto& tensors = parts.source->tensors;
  const at::Tensor codes = at::randint(40, {2, 6, 5}, at::kLong);
  for (const int64_t given : {1, 2, 3, 6}) {
    at::Tensor expected = at::zeros({2, 5, 16});
    for (int64_t k = 0; k < given; ++k) {
      const std::string rvq = k < 2 ? "rvq_first" : "rvq_rest";
      const std::string book = rvq + ".vq.layers." + std::to_string(k < 2 ? k : k - 2) + "._codebook.";
      const at::Tensor vectors =
          tensors.at(book + "embedding_sum") / tensors.at(book + "cluster_usage").unsqueeze(1);
      expected += at::embedding(vectors, codes.select(1, k))
                      .matmul(tensors.at(rvq + ".output_proj.weight").squeeze(2).t());
    }
    EXPECT_TRUE(at::allclose(quantizer.decode(codes.narrow(1, 0, given)), expected, 1e-4, 1e-5)) << given;
  }
}

/// `x` [1, T, C] through `seanet` in chunks of `chunk` steps.
at::Tensor stream(const Seanet& seanet, const at::Tensor& x, int64_t chunk) {
  auto history = seanet.make_history(1);
  std::vector<at::Tensor> outputs;
  for (const at::Tensor& part : x.split(chunk, 1)) {
    outputs.push_back(seanet(part, history, one_row()));
  }
  return at::cat(outputs, 1);
}

TEST(Seanet, StreamsAsAWhole) {
  for (const bool true_skip : {true, false}) {
    auto config = small_config();
    config.true_skip = true_skip;
    config.n_residual_layers = 3;  // dilations 1, 2, 4
    const Parts parts(config);
    const Seanet encoder = Seanet::encoder(config, parts.weights());
    const at::Tensor pcm = at::randn({1, 800, 1});
    const at::Tensor latents = stream(encoder, pcm, 800);
    ASSERT_EQ(latents.sizes(), at::IntArrayRef({1, 40, 16}));
    for (const int64_t chunk : {20, 40, 100}) {
      EXPECT_TRUE(at::allclose(stream(encoder, pcm, chunk), latents, 1e-4, 1e-5)) << chunk;
    }
    const Seanet decoder = Seanet::decoder(config, Parts(config).weights());
    const at::Tensor out = stream(decoder, latents, 40);
    ASSERT_EQ(out.sizes(), at::IntArrayRef({1, 800, 1}));
    for (const int64_t chunk : {1, 2, 7}) {
      EXPECT_TRUE(at::allclose(stream(decoder, latents, chunk), out, 1e-4, 1e-5)) << chunk;
    }
  }
}

TEST(Seanet, ShortcutConvolutionReplacesTheSkip) {
  auto config = small_config();
  config.true_skip = false;
  const Parts parts(config);
  const Seanet encoder = Seanet::encoder(config, parts.weights());
  EXPECT_EQ(parts.source->tensors.at("model.1.shortcut.conv.conv.weight").sizes(),
            at::IntArrayRef({4, 4, 1}));
}

TEST(Seanet, DecodingAPrefixGivesThePrefix) {
  checkpoint::MimiConfig tiny;
  tiny.dimension = 8;
  tiny.n_filters = 2;
  tiny.ratios = {5};
  for (const checkpoint::MimiConfig& config : {tiny, checkpoint::MimiConfig()}) {
    const Parts parts(config);
    const Seanet decoder = Seanet::decoder(config, parts.weights());
    const at::Tensor latents = at::randn({1, 100, config.dimension});
    const at::Tensor whole = stream(decoder, latents, 100);
    for (const int64_t steps : {1, 2, 10}) {
      const at::Tensor part = stream(decoder, latents.narrow(1, 0, steps), steps);
      EXPECT_TRUE(at::allclose(part, whole.narrow(1, 0, steps * config.hop_length()), 1e-4, 1e-5)) << steps;
    }
  }
}

}  // namespace
}  // namespace moshi::mimi
