// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The streaming neural audio codec (Mimi). Reference: moshi/models/compression.py, MimiModel, in
// streaming mode. Everything is f32, whatever the file holds. Weights are shared by all streams;
// states hold many streams ("slots"), of which each call continues the ones its rows name.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "checkpoint/config.h"
#include "checkpoint/safetensors.h"
#include "mimi/quantizer.h"
#include "mimi/resample.h"
#include "mimi/seanet.h"
#include "nn/rows.h"
#include "nn/transformer.h"
#include "nn/weights.h"

namespace moshi::mimi {

/// Encoder streams. Made by Encoder::make_state.
struct EncoderState {
  std::vector<at::Tensor> seanet;
  nn::TransformerState transformer;
  std::optional<Downsample::State> downsample;
  /// Back to the start of a stream.
  void reset(int64_t slot);
};

/// Decoder streams. Made by Decoder::make_state.
struct DecoderState {
  at::Tensor upsample;  ///< Undefined where latents come at the frame rate.
  nn::TransformerState transformer;
  std::vector<at::Tensor> seanet;
  /// Back to the start of a stream.
  void reset(int64_t slot);
};

/// PCM to codes.
class Encoder {
 public:
  /// `weights` is the scope of `encoder`, `encoder_transformer` and `downsample`.
  Encoder(const checkpoint::MimiConfig& config, const nn::Weights& weights,
          std::shared_ptr<const Quantizer> quantizer);

  [[nodiscard]] EncoderState make_state(int64_t slots) const;
  /// Enlarges `state` to `slots` slots; the streams in it go on.
  void grow(EncoderState& state, int64_t slots) const;
  /// Bytes of one slot of `state` whose attention history is full.
  [[nodiscard]] uint64_t slot_bytes(const EncoderState& state) const;

  /// Continues the streams of `rows` by m frames: pcm f32 [B, m * frame_size] -> codes int64 [B,
  /// codebooks, m]. `codebooks` in [n_q_semantic, n_q]; fewer give the first ones of more.
  [[nodiscard]] at::Tensor encode(const at::Tensor& pcm, int64_t codebooks, EncoderState& state,
                                  const nn::Rows& rows) const;

  [[nodiscard]] const Seanet& seanet() const { return seanet_; }
  [[nodiscard]] const nn::Transformer& transformer() const { return transformer_; }
  [[nodiscard]] const std::optional<Downsample>& downsample() const { return downsample_; }
  /// See Codec::chunk().
  void chunk();

 private:
  Seanet seanet_;
  nn::Transformer transformer_;
  std::optional<Downsample> downsample_;
  std::shared_ptr<const Quantizer> quantizer_;
};

/// Codes to PCM.
class Decoder {
 public:
  /// `weights` is the scope of `decoder`, `decoder_transformer` and `upsample`.
  Decoder(const checkpoint::MimiConfig& config, const nn::Weights& weights,
          std::shared_ptr<const Quantizer> quantizer);

  [[nodiscard]] DecoderState make_state(int64_t slots) const;
  /// Enlarges `state` to `slots` slots; the streams in it go on.
  void grow(DecoderState& state, int64_t slots) const;
  /// Bytes of one slot of `state` whose attention history is full.
  [[nodiscard]] uint64_t slot_bytes(const DecoderState& state) const;

  /// Continues the streams of `rows` by m frames: codes int64 [B, k, m], each in [0, bins), k in
  /// [1, n_q] -> pcm f32 [B, m * frame_size], not clamped.
  [[nodiscard]] at::Tensor decode(const at::Tensor& codes, DecoderState& state, const nn::Rows& rows) const;

  [[nodiscard]] const std::optional<Upsample>& upsample() const { return upsample_; }
  [[nodiscard]] const nn::Transformer& transformer() const { return transformer_; }
  [[nodiscard]] const Seanet& seanet() const { return seanet_; }
  /// See Codec::chunk().
  void chunk();

 private:
  std::shared_ptr<const Quantizer> quantizer_;
  std::optional<Upsample> upsample_;
  nn::Transformer transformer_;
  Seanet seanet_;
};

/// Both directions over one set of weights.
class Codec {
 public:
  /// Takes every tensor from `source`, which must give f32. Throws Settings for a configuration that
  /// contradicts itself or is not supported, WrongType for tensors that are missing or misshapen.
  Codec(const checkpoint::MimiConfig& config, const std::shared_ptr<nn::TensorSource>& source);
  /// From a file in the published layout (the names of moshi's own repositories), on `device`.
  /// Throws WrongType also for tensors the configuration has no place for, and for the layout of
  /// Hugging Face's transformers library.
  static Codec load(const checkpoint::MimiConfig& config, checkpoint::TensorFiles files, at::Device device,
                    nn::LoadMonitor monitor = {});

  [[nodiscard]] const checkpoint::MimiConfig& config() const { return config_; }
  [[nodiscard]] const Encoder& encoder() const { return encoder_; }
  [[nodiscard]] const Decoder& decoder() const { return decoder_; }
  [[nodiscard]] const Quantizer& quantizer() const { return *quantizer_; }
  [[nodiscard]] uint64_t weight_bytes() const { return weight_bytes_; }
  [[nodiscard]] at::Device device() const { return device_; }
  /// Stores matrices as CUDA kernels want them; what the parts compute themselves is slow from then on.
  void chunk();

 private:
  checkpoint::MimiConfig config_;
  at::Device device_;
  std::shared_ptr<Quantizer> quantizer_;
  Encoder encoder_;
  Decoder decoder_;
  uint64_t weight_bytes_ = 0;
};

}  // namespace moshi::mimi
