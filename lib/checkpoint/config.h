// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// config.json of the published layout, and the Mimi configuration beside it. Names and defaults
// follow the reference: moshi/models/loaders.py (CheckpointInfo, get_moshi_lm, _seanet_kwargs,
// _quantizer_kwargs, _transformer_kwargs, _lm_kwargs) and moshi/models/lm.py (LMModel.__init__).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moshi::checkpoint {

enum class Norm { LayerNorm, LayerNormF32, RmsNorm, RmsNormF32 };
enum class PositionEmbedding { None, Sin, Rope, SinRope, RopeConcat };
/// Activation of a feed-forward. None: not gated, linear2(gelu(linear1(x))).
enum class Gating { None, Silu, Gelu, Relu, Sigmoid, Tanh, LeakyRelu, Elu, Mish, Softsign, Identity };

/// One stack of transformer layers.
struct TransformerConfig {
  int dim = 0;
  int num_heads = 0;
  int num_layers = 0;
  std::vector<int> dim_feedforward;  ///< One value, or one per weight set.
  int context = 0;                   ///< Positions attended to; 0: no limit.
  bool causal = true;
  double max_period = 10000;
  double positional_scale = 1;
  Norm norm = Norm::LayerNorm;
  PositionEmbedding position = PositionEmbedding::Sin;
  Gating gating = Gating::None;
  std::optional<double> layer_scale;
  int kv_repeat = 1;
  bool cross_attention = false;
  /// Empty: one weight set. Else the weight set of each step (depformer_weights_per_step).
  std::vector<int> schedule;
  [[nodiscard]] int weight_sets() const;  ///< max(schedule) + 1, or 1.
};

/// A "lut" conditioner: index of a value (or of its hash) -> embedding -> projection.
struct ConditionerConfig {
  std::string name;
  std::string type;  ///< "lut" or "tensor".
  int dim = 0;
  int n_bins = 0;
  std::vector<std::string> possible_values;
};

struct LmConfig {
  bool quantize = false;  ///< Linear layers are int8 in the file.
  int n_q = 8;
  int dep_q = 8;
  int card = 1024;
  int text_card = 32000;
  int text_card_out = 32000;
  std::vector<int> delays;  ///< n_q + 1 values, index 0 is text.
  bool demux_second_text_stream = false;
  bool norm_emb = false;
  bool bias_proj = false;
  TransformerConfig temporal;
  TransformerConfig depth;  ///< Meaningful where dep_q > 0; `schedule` has dep_q values or is empty.
  bool depformer_multi_linear = false;
  int depformer_low_rank_embeddings = 0;  ///< 0: none.
  std::optional<Norm> depformer_norm;     ///< Norm before each codebook's head.
  int text_padding_id = 3;
  int text_end_padding_id = 0;
  int extra_heads = 0;
  int extra_heads_dim = 6;
  std::vector<ConditionerConfig> conditioners;
  std::vector<std::string> fuse_sum;    ///< Conditioners added to the temporal input.
  std::vector<std::string> fuse_cross;  ///< Conditioners attended to.
  [[nodiscard]] int max_delay() const;
};

/// SEANet, transformers, resampling and quantizer of the codec.
struct MimiConfig {
  int sample_rate = 24000;
  int channels = 1;
  double frame_rate = 12.5;
  // seanet
  int dimension = 512;
  int n_filters = 64;
  int n_residual_layers = 1;
  std::vector<int> ratios = {8, 6, 5, 4};  ///< Decoder order.
  int kernel_size = 7;
  int residual_kernel_size = 3;
  int last_kernel_size = 3;
  int dilation_base = 2;
  int compress = 2;
  bool true_skip = true;
  double elu_alpha = 1;
  // quantizer
  int quantizer_dimension = 256;  ///< Codebook vectors' width.
  int n_q = 32;                   ///< Levels in all, semantic ones included.
  int n_q_semantic = 1;
  int bins = 2048;
  TransformerConfig transformer;              ///< Both sides; dim equals `dimension`.
  [[nodiscard]] int hop_length() const;       ///< Product of the ratios: samples per latent.
  [[nodiscard]] int frame_size() const;       ///< Samples per frame.
  [[nodiscard]] int resample_stride() const;  ///< Latents per frame.
};

/// All of config.json.
struct ModelConfig {
  std::string model_type = "moshi";
  LmConfig lm;
  MimiConfig mimi;
  std::string moshi_name = "model.safetensors";
  std::string mimi_name = "tokenizer-e351c8d8-checkpoint125.safetensors";
  std::string mimi_config_name;
  std::string tokenizer_name = "tokenizer_spm_32k_3.model";
  std::string lora_name;
  std::map<std::string, double> lm_gen_config;  ///< Numbers only: temp, temp_text, top_k, ...
  double stt_audio_delay_seconds = 0;
  double stt_audio_silence_prefix_seconds = 0;
  /// Codebooks of the codec in use: max(dep_q, n_q - dep_q), 8 for PersonaPlex.
  [[nodiscard]] int codec_codebooks() const;
  /// Rows of the output that are decoded: dep_q, 8 for PersonaPlex.
  [[nodiscard]] int output_codebooks() const;
};

/// The configuration of a config.json's text; `where` names it in messages. Unknown keys warn by
/// name; keys that change the model and are not supported throw Settings; wrong types WrongType.
ModelConfig parse_model_config(std::string_view json, const std::string& where);
/// The Mimi configuration of a JSON text (mimi_config_name).
MimiConfig parse_mimi_config(std::string_view json, const std::string& where);
/// Built-in: Moshi 7B, what a repository without config.json means ("7b"), or "personaplex".
ModelConfig builtin_config(std::string_view name);

}  // namespace moshi::checkpoint
