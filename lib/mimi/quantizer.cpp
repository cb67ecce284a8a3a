// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/quantizer.h"

#include <initializer_list>
#include <string>

#include "nn/tiles.h"

namespace moshi::mimi {
namespace {

/// The first of `names` the source has, else the first (EuclideanCodebook._load_from_state_dict).
std::string alias(const nn::Weights& weights, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (weights.has(name)) {
      return name;
    }
  }
  return *names.begin();
}

nn::Linear projection(const nn::Weights& weights, int64_t in, int64_t out) {
  return nn::Linear(weights.get("weight", {out, in, 1}).squeeze(2));
}

/// The second operand of torch.cdist's matrix form, whose first is [-2 x, |x|^2, 1].
at::Tensor load_codebook(const nn::Weights& weights, int64_t bins, int64_t width) {
  const at::Tensor sum =
      weights.get(alias(weights, {"embedding_sum", "embed_sum", "embed_avg"}), {bins, width});
  const at::Tensor usage = weights.get(alias(weights, {"cluster_usage", "cluster_size"}), {bins});
  const at::Tensor vectors = sum / usage.clamp_min(1e-5).unsqueeze(1);
  const at::Tensor norms = vectors.pow(2).sum(-1, /*keepdim=*/true);
  return at::cat({vectors, at::ones_like(norms), norms}, -1);
}

}  // namespace

ResidualQuantizer::ResidualQuantizer(const checkpoint::MimiConfig& config, int levels,
                                     const nn::Weights& weights)
    : input_proj_(projection(weights["input_proj"], config.dimension, config.quantizer_dimension)),
      output_proj_(projection(weights["output_proj"], config.quantizer_dimension, config.dimension)) {
  const nn::Weights layers = weights["vq.layers"];
  for (int level = 0; level < levels; ++level) {
    codebooks_.push_back(
        load_codebook(layers[std::to_string(level)]["_codebook"], config.bins, config.quantizer_dimension));
  }
}

void ResidualQuantizer::chunk() {
  for (at::Tensor& codebook : codebooks_) {
    chunked_.push_back(
        {nn::chunked(vectors(codebook)), codebook.select(1, codebook.size(1) - 1).contiguous()});
    codebook.reset();
  }
  codebooks_.clear();
}

at::Tensor ResidualQuantizer::codebook(int64_t level) const {
  const auto index = static_cast<size_t>(level);
  if (chunked_.empty()) return codebooks_[index];
  const at::Tensor norms = chunked_[index].squares.unsqueeze(1);
  const at::Tensor vectors = nn::unchunked(chunked_[index].vectors, norms.size(0), input_proj_.outputs());
  return at::cat({vectors, at::ones_like(norms), norms}, -1);
}

at::Tensor ResidualQuantizer::vectors(const at::Tensor& codebook) const {
  return codebook.narrow(1, 0, codebook.size(1) - 2);
}

at::Tensor ResidualQuantizer::nearest(const at::Tensor& x, const at::Tensor& codebook) const {
  // torch.cdist takes the matrix form where a side has more than 25 rows. The reference feeds few
  // frames at a time, so the codebook decides; x must not, or a row's codes would depend on the batch.
  constexpr int64_t direct_form_rows = 25;
  constexpr int64_t direct_form = 2;
  if (codebook.size(0) <= direct_form_rows) {
    return at::cdist(x.unsqueeze(0), vectors(codebook).unsqueeze(0), 2, direct_form)[0].argmin(-1);
  }
  const at::Tensor norms = x.pow(2).sum(-1, /*keepdim=*/true);
  const at::Tensor rows = at::cat({x.mul(-2), norms, at::ones_like(norms)}, -1);
  const at::Tensor distances = at::bmm(rows.unsqueeze(0), codebook.unsqueeze(0).mT())[0];
  // The root is monotonic, but makes close distances equal, which decides between indices.
  return distances.clamp_min_(0).sqrt_().argmin(-1);
}

at::Tensor ResidualQuantizer::encode(const at::Tensor& latents, int64_t levels) const {
  at::Tensor residual = input_proj_(latents);
  std::vector<at::Tensor> codes;
  for (int64_t level = 0; level < levels; ++level) {
    const at::Tensor book = codebook(level);
    codes.push_back(nearest(residual, book));
    residual = residual - vectors(book).index_select(0, codes.back());
  }
  return at::stack(codes, 1);
}

at::Tensor ResidualQuantizer::decode(const at::Tensor& codes) const {
  at::Tensor sum;
  for (int64_t level = 0; level < codes.size(1); ++level) {
    const at::Tensor found = vectors(codebook(level)).index_select(0, codes.select(1, level));
    sum = level == 0 ? found : sum.add_(found);
  }
  return output_proj_(sum);
}

Quantizer::Quantizer(const checkpoint::MimiConfig& config, const nn::Weights& weights)
    : semantic_levels_(config.n_q_semantic),
      first_(config, config.n_q_semantic, weights["rvq_first"]),
      rest_(config, config.n_q - config.n_q_semantic, weights["rvq_rest"]) {}

void Quantizer::chunk() {
  first_.chunk();
  rest_.chunk();
}

at::Tensor Quantizer::encode(const at::Tensor& latents, int64_t codebooks) const {
  const at::Tensor rows = latents.flatten(0, 1);
  at::Tensor codes = first_.encode(rows, semantic_levels_);
  if (codebooks > semantic_levels_) {
    codes = at::cat({codes, rest_.encode(rows, codebooks - semantic_levels_)}, 1);
  }
  return codes.unflatten(0, {latents.size(0), latents.size(1)}).transpose(1, 2).contiguous();
}

at::Tensor Quantizer::decode(const at::Tensor& codes) const {
  const at::Tensor rows = codes.transpose(1, 2).flatten(0, 1);
  const int64_t semantic = std::min(semantic_levels_, rows.size(1));
  at::Tensor latents = first_.decode(rows.narrow(1, 0, semantic));
  if (rows.size(1) > semantic) {
    latents.add_(rest_.decode(rows.narrow(1, semantic, rows.size(1) - semantic)));
  }
  return latents.unflatten(0, {codes.size(0), codes.size(2)});
}

}  // namespace moshi::mimi
