// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/codec_id.h"

#include "checkpoint/sha256.h"

namespace moshi::checkpoint {
namespace {

constexpr std::string_view kPrefix = "quantizer.";

/// The current name of a quantizer's tensor, "" for one that does not count.
std::string current_name(const std::string& name) {
  const size_t dot = name.rfind('.') + 1;
  const std::string base = name.substr(0, dot);
  const std::string last = name.substr(dot);
  if (last == "_initialized" || last == "inited") return "";
  if (last == "cluster_size") return base + "cluster_usage";
  if (last == "embed_avg" || last == "embed_sum") return base + "embedding_sum";
  return name;
}

}  // namespace

std::string codec_id(const TensorFiles& mimi) {
  std::map<std::string, const TensorView*> tensors;
  for (const std::string& name : mimi.names()) {
    if (!name.starts_with(kPrefix)) continue;
    if (const std::string current = current_name(name); !current.empty()) tensors[current] = mimi.find(name);
  }
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    std::string description = name + ' ' + std::string(name_of(tensor->dtype));
    for (const int64_t dimension : tensor->shape) description += ' ' + std::to_string(dimension);
    hash.update(description + '\n');
    hash.update(tensor->data);
  }
  return "mimi-" + hash.hex().substr(0, 8);
}

}  // namespace moshi::checkpoint
