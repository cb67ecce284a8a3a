// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The published configurations that a checkpoint may leave out, as the JSON it would have.
#pragma once

#include <string_view>

namespace moshi::checkpoint {

/// Moshi 7B. Source: moshi/models/loaders.py, _lm_kwargs.
inline constexpr std::string_view kMoshi7b = R"({
  "dim": 4096, "text_card": 32000, "existing_text_padding_id": 3, "n_q": 16, "dep_q": 8, "card": 2048,
  "num_heads": 32, "num_layers": 32, "hidden_scale": 4.125, "causal": true, "layer_scale": null,
  "context": 3000, "max_period": 10000, "gating": "silu", "norm": "rms_norm_f32",
  "positional_embedding": "rope",
  "depformer_dim": 1024, "depformer_dim_feedforward": 4224, "depformer_num_heads": 16,
  "depformer_num_layers": 6, "depformer_layer_scale": null, "depformer_multi_linear": true,
  "depformer_context": 8, "depformer_max_period": 10000, "depformer_gating": "silu",
  "depformer_pos_emb": "none", "depformer_weights_per_step": true,
  "delays": [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1]
})";

/// What PersonaPlex changes in it: the user's streams are generated too.
inline constexpr std::string_view kPersonaPlexChanges = R"({"model_type": "personaplex", "dep_q": 16})";

/// Mimi. Source: moshi/models/loaders.py, _mimi_config.
inline constexpr std::string_view kMimi = R"({
  "sample_rate": 24000, "channels": 1, "frame_rate": 12.5,
  "seanet": {
    "channels": 1, "dimension": 512, "causal": true, "n_filters": 64, "n_residual_layers": 1,
    "activation": "ELU", "compress": 2, "dilation_base": 2, "disable_norm_outer_blocks": 0,
    "kernel_size": 7, "residual_kernel_size": 3, "last_kernel_size": 3, "norm": "none",
    "pad_mode": "constant", "ratios": [8, 6, 5, 4], "true_skip": true},
  "quantizer": {
    "dimension": 256, "n_q": 32, "bins": 2048, "input_dimension": 512, "output_dimension": 512},
  "transformer": {
    "d_model": 512, "num_heads": 8, "num_layers": 8, "causal": true, "layer_scale": 0.01, "context": 250,
    "conv_layout": true, "max_period": 10000, "gating": "none", "norm": "layer_norm",
    "positional_embedding": "rope", "dim_feedforward": 2048, "input_dimension": 512,
    "output_dimensions": [512]}
})";

}  // namespace moshi::checkpoint
