// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>

/// The configuration of a codec as small as one can be, with `bins` codes in each of its four codebooks.
inline std::string small_codec(int bins) {
  return R"({
  "sample_rate": 24000, "channels": 1, "frame_rate": 12.5,
  "seanet": {"channels": 1, "dimension": 16, "causal": true, "n_filters": 2, "n_residual_layers": 1,
    "activation": "ELU", "compress": 2, "dilation_base": 2, "disable_norm_outer_blocks": 0, "kernel_size": 7,
    "residual_kernel_size": 3, "last_kernel_size": 3, "norm": "none", "pad_mode": "constant",
    "ratios": [8, 6, 5, 4], "true_skip": true},
  "quantizer": {"dimension": 8, "n_q": 4, "bins": )" +
         std::to_string(bins) + R"(, "input_dimension": 16, "output_dimension": 16},
  "transformer": {"d_model": 16, "num_heads": 2, "num_layers": 1, "causal": true, "layer_scale": 0.01,
    "context": 20, "conv_layout": true, "max_period": 10000, "gating": "none", "norm": "layer_norm",
    "positional_embedding": "rope", "dim_feedforward": 32, "input_dimension": 16, "output_dimensions": [16]}})";
}
