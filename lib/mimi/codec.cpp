// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/codec.h"

#include <cmath>
#include <string>
#include <utility>

#include "moshi/moshi.h"

namespace moshi::mimi {
namespace {

void require(bool condition, const std::string& message) {
  if (!condition) {
    throw Error(ErrorCode::Settings, "Mimi configuration: " + message);
  }
}

/// `config`, if it describes a codec this can run.
const checkpoint::MimiConfig& checked(const checkpoint::MimiConfig& config) {
  const auto text = [](auto value) { return std::to_string(value); };
  require(config.channels == 1, "expected channels 1, found " + text(config.channels));
  require(config.transformer.dim == config.dimension,
          "expected transformer d_model equal to the seanet dimension " + text(config.dimension) +
              ", found " + text(config.transformer.dim));
  require(config.transformer.causal, "expected a causal transformer");
  require(config.n_q_semantic >= 1 && config.n_q_semantic < config.n_q,
          "expected n_q_semantic in [1, n_q - 1], found " + text(config.n_q_semantic) + " with n_q " +
              text(config.n_q));
  const int64_t per_frame = static_cast<int64_t>(config.hop_length()) * config.resample_stride();
  require(config.resample_stride() >= 1 && per_frame == config.frame_size() &&
              static_cast<double>(per_frame) * config.frame_rate == config.sample_rate,
          "expected sample_rate " + text(config.sample_rate) +
              " to be frame_rate times a multiple of the ratios' product " + text(config.hop_length()));
  return config;
}

/// Only the layout of moshi's repositories is known; the other published one has other names.
void reject_transformers_layout(const checkpoint::TensorFiles& files) {
  if (files.find("quantizer.semantic_residual_vector_quantizer.input_proj.weight") != nullptr ||
      files.find("encoder.layers.0.conv.weight") != nullptr) {
    throw Error(ErrorCode::WrongType,
                files.path().string() +
                    ": expected Mimi in the layout of moshi, found that of the transformers library:"
                    " use tokenizer-e351c8d8-checkpoint125.safetensors of kyutai/moshiko-pytorch-bf16");
  }
}

void reset_rows(std::vector<at::Tensor>& history, int64_t slot) {
  for (at::Tensor& steps : history) {
    steps[slot].zero_();
  }
}

void grow_rows(std::vector<at::Tensor>& history, int64_t slots) {
  for (at::Tensor& steps : history) {
    steps = nn::grow_slots(steps, slots);
  }
}

uint64_t row_bytes(const std::vector<at::Tensor>& history) {
  uint64_t sum = 0;
  for (const at::Tensor& steps : history) {
    sum += steps[0].nbytes();
  }
  return sum;
}

uint64_t ring_bytes(const nn::Transformer& transformer) {
  return transformer.position_bytes() * static_cast<uint64_t>(transformer.config().context);
}

}  // namespace

void EncoderState::reset(int64_t slot) {
  reset_rows(seanet, slot);
  transformer.reset(slot);
  if (downsample) {
    downsample->started[static_cast<size_t>(slot)] = false;
  }
}

void DecoderState::reset(int64_t slot) {
  reset_rows(seanet, slot);
  transformer.reset(slot);
  if (upsample.defined()) {
    upsample[slot].zero_();
  }
}

Encoder::Encoder(const checkpoint::MimiConfig& config, const nn::Weights& weights,
                 std::shared_ptr<const Quantizer> quantizer)
    : seanet_(Seanet::encoder(config, weights["encoder"])),
      transformer_(config.transformer, weights["encoder_transformer.transformer"]),
      quantizer_(std::move(quantizer)) {
  if (config.resample_stride() > 1) {
    downsample_.emplace(config, weights["downsample"]);
  }
}

EncoderState Encoder::make_state(int64_t slots) const {
  EncoderState state{seanet_.make_history(slots), transformer_.make_state(slots), {}};
  if (downsample_) {
    state.downsample = downsample_->make_state(slots);
  }
  return state;
}

void Encoder::grow(EncoderState& state, int64_t slots) const {
  grow_rows(state.seanet, slots);
  transformer_.grow(state.transformer, slots);
  if (state.downsample) {
    state.downsample->history = nn::grow_slots(state.downsample->history, slots);
    state.downsample->started.resize(static_cast<size_t>(slots), false);
  }
}

uint64_t Encoder::slot_bytes(const EncoderState& state) const {
  return row_bytes(state.seanet) + ring_bytes(transformer_) +
         (state.downsample ? state.downsample->history[0].nbytes() : 0);
}

at::Tensor Encoder::encode(const at::Tensor& pcm, int64_t codebooks, EncoderState& state,
                           const nn::Rows& rows) const {
  at::Tensor x = seanet_(pcm.unsqueeze(2), state.seanet, rows);
  x = transformer_.step(x, state.transformer, rows);
  if (downsample_) {
    x = (*downsample_)(x, *state.downsample, rows);
  }
  return quantizer_->encode(x, codebooks);
}

void Encoder::chunk() {
  seanet_.chunk();
  transformer_.chunk();
  if (downsample_) downsample_->chunk();
}

Decoder::Decoder(const checkpoint::MimiConfig& config, const nn::Weights& weights,
                 std::shared_ptr<const Quantizer> quantizer)
    : quantizer_(std::move(quantizer)),
      transformer_(config.transformer, weights["decoder_transformer.transformer"]),
      seanet_(Seanet::decoder(config, weights["decoder"])) {
  if (config.resample_stride() > 1) {
    upsample_.emplace(config, weights["upsample"]);
  }
}

DecoderState Decoder::make_state(int64_t slots) const {
  return {upsample_ ? upsample_->make_history(slots) : at::Tensor(), transformer_.make_state(slots),
          seanet_.make_history(slots)};
}

void Decoder::grow(DecoderState& state, int64_t slots) const {
  if (state.upsample.defined()) {
    state.upsample = nn::grow_slots(state.upsample, slots);
  }
  transformer_.grow(state.transformer, slots);
  grow_rows(state.seanet, slots);
}

uint64_t Decoder::slot_bytes(const DecoderState& state) const {
  return row_bytes(state.seanet) + ring_bytes(transformer_) +
         (state.upsample.defined() ? state.upsample[0].nbytes() : 0);
}

at::Tensor Decoder::decode(const at::Tensor& codes, DecoderState& state, const nn::Rows& rows) const {
  at::Tensor x = quantizer_->decode(codes);
  if (upsample_) {
    x = (*upsample_)(x, state.upsample, rows);
  }
  x = transformer_.step(x, state.transformer, rows);
  return seanet_(x, state.seanet, rows).squeeze(2);
}

void Decoder::chunk() {
  transformer_.chunk();
  seanet_.chunk();
}

Codec::Codec(const checkpoint::MimiConfig& config, const std::shared_ptr<nn::TensorSource>& source)
    : config_(checked(config)),
      device_(source->options().device()),
      quantizer_(std::make_shared<Quantizer>(config_, nn::Weights(source)["quantizer"])),
      encoder_(config_, nn::Weights(source), quantizer_),
      decoder_(config_, nn::Weights(source), quantizer_),
      weight_bytes_(source->bytes()) {}

void Codec::chunk() {
  quantizer_->chunk();
  encoder_.chunk();
  decoder_.chunk();
}

Codec Codec::load(const checkpoint::MimiConfig& config, checkpoint::TensorFiles files, at::Device device,
                  nn::LoadMonitor monitor) {
  reject_transformers_layout(files);
  const auto source =
      std::make_shared<nn::FileSource>(std::move(files), at::TensorOptions(at::kFloat).device(device),
                                       nn::MatrixKind::Plain, std::move(monitor));
  Codec codec(config, source);
  // Whether codebooks were ever trained is for training alone.
  source->check_all_used(
      [](const std::string& name) { return name.ends_with("._initialized") || name.ends_with(".inited"); });
  return codec;
}

}  // namespace moshi::mimi
