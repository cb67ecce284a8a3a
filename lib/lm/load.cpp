// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/load.h"

#include <memory>
#include <string>
#include <utility>

namespace moshi::lm {
namespace {

/// Refuses tensors that say the file must be read another way than this version can.
void check_plain(const checkpoint::TensorFiles& files) {
  for (const std::string& name : files.names()) {
    if (name.find(".lora_A.") != std::string::npos || name.find(".lora_B.") != std::string::npos) {
      throw Error(ErrorCode::Settings, files.path().string() +
                                           ": expected plain weights, found LoRA weights (" + name +
                                           "): fuse them into the model first");
    }
  }
}

}  // namespace

LanguageModel load_language_model(const checkpoint::ModelConfig& config, checkpoint::TensorFiles files,
                                  const at::TensorOptions& options, nn::MatrixKind matrices,
                                  nn::LoadMonitor monitor) {
  check_plain(files);
  const auto source =
      std::make_shared<nn::FileSource>(std::move(files), options, matrices, std::move(monitor));
  LanguageModel model(config.lm, config.output_codebooks(), nn::Weights(source));
  source->check_all_used([](const std::string&) { return false; });
  if (config.model_type == "hibiki") {
    model.treat_end_as_padding();
  }
  return model;
}

}  // namespace moshi::lm
