// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the configurations of the language model and of the codec share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "checkpoint/config.h"
#include "checkpoint/config_section.h"

namespace moshi::checkpoint {

const std::vector<std::pair<std::string_view, Norm>>& norm_names();
const std::vector<std::pair<std::string_view, PositionEmbedding>>& position_names();

/// Reads the options that depformer_* keys may override: num_layers, max_period, positional_scale,
/// gating, layer_scale and kv_repeat, each with `prefix` before its name. What is missing stays.
/// Source: moshi/models/lm.py, LMModel.__init__ (main_kwargs, kwargs_dep).
void read_shared_options(Section& section, const std::string& prefix, TransformerConfig& config);

/// Throws Settings unless a transformer can have these sizes; `keys` prefixes names in the message.
/// Source: the assertions of moshi/modules/transformer.py.
void check_transformer(const TransformerConfig& config, const Section& section, const std::string& keys);

}  // namespace moshi::checkpoint
