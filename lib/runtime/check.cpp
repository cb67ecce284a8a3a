// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reads everything of a model but its numbers: the parts are built on LibTorch's meta device, which
// has shapes and no memory.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "checkpoint/model_files.h"
#include "lm/load.h"
#include "mimi/codec.h"
#include "moshi/moshi.h"
#include "runtime/device.h"
#include "text/tokenizer.h"

namespace moshi {
namespace {

void count(const checkpoint::TensorFiles& files, uint64_t& tensors, uint64_t& parameters) {
  for (const std::string& name : files.names()) {
    const checkpoint::TensorView* view = files.find(name);
    ++tensors;
    parameters += view->data.size() / checkpoint::size_of(view->dtype);
  }
}

}  // namespace

ModelReport check_model(const std::string& model) {
  const c10::InferenceMode inference;
  const checkpoint::ModelFiles files = checkpoint::resolve_model(model);
  ModelReport report;
  report.directory = files.canonical;
  report.model_type = files.config.model_type;
  const auto attempt = [&](const std::string& what, const std::function<void()>& action) {
    try {
      runtime::with_errors(what, action);
    } catch (const Error& error) {
      report.problems.emplace_back(error.what());
    }
  };
  attempt("reading the codec", [&] {
    const auto tensors = checkpoint::TensorFiles::open(files.mimi);
    count(tensors, report.codec_tensors, report.codec_parameters);
    mimi::Codec::load(files.config.mimi, tensors, at::kMeta);
  });
  attempt("reading the language model", [&] {
    const auto tensors = checkpoint::TensorFiles::open(files.lm);
    count(tensors, report.lm_tensors, report.lm_parameters);
    lm::load_language_model(files.config, tensors, at::TensorOptions(at::kFloat).device(at::kMeta),
                            nn::MatrixKind::Plain);
  });
  attempt("reading the tokenizer", [&] { report.text_pieces = text::Tokenizer(files.tokenizer).size(); });
  return report;
}

}  // namespace moshi
