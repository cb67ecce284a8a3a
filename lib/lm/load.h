// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lm/model.h"

namespace moshi::lm {

/// The language model of `config` from its file(s), converted to `dtype` on `device`. Throws
/// WrongType for tensors that are missing, misshapen or of no part of the model, Settings for LoRA
/// and quantised files. Reference: moshi/models/loaders.py, get_moshi_lm.
LanguageModel load_language_model(const checkpoint::ModelConfig& config, checkpoint::TensorFiles files,
                                  at::ScalarType dtype, at::Device device, nn::LoadMonitor monitor = {});

}  // namespace moshi::lm
