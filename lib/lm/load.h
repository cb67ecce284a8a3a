// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lm/model.h"

namespace moshi::lm {

/// The language model of `config` from its file(s), in the dtype and on the device of `options`, its linear
/// layers as `matrices` says. Throws WrongType for tensors that are missing, misshapen or of no part of the
/// model, Settings for LoRA files. Reference: moshi/models/loaders.py, get_moshi_lm.
LanguageModel load_language_model(const checkpoint::ModelConfig& config, checkpoint::TensorFiles files,
                                  const at::TensorOptions& options, nn::MatrixKind matrices,
                                  nn::LoadMonitor monitor = {});

}  // namespace moshi::lm
