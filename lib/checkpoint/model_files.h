// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// From what a user wrote after --model to the files of a checkpoint.
#pragma once

#include <filesystem>
#include <string>

#include "checkpoint/config.h"

namespace moshi::checkpoint {

/// The files of a model. Paths are not empty; whether the LM's and the tokenizer's exist is checked
/// when they are opened, since codec elements need only the codec's.
struct ModelFiles {
  std::string canonical;  ///< Absolute directory: the model's identity.
  ModelConfig config;
  std::filesystem::path lm;  ///< .safetensors or .safetensors.index.json.
  std::filesystem::path mimi;
  std::filesystem::path tokenizer;
};

/// The configuration in a config.json, with the Mimi configuration it names. Throws as resolve_model.
ModelConfig load_config(const std::filesystem::path& path);

/// Resolves a directory, a Hugging Face id[@revision] in the local cache, or "" (the embedded model:
/// $GST_MOSHI_MODEL_DIR, else the installed or source models/little-moshi). Never uses the network.
/// Throws NotFound with the exact `hf download` line, WrongType or Settings for a bad config.json.
ModelFiles resolve_model(const std::string& model);

}  // namespace moshi::checkpoint
