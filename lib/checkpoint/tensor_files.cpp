// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/json.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

/// Tensor name -> shard's file name of a model.safetensors.index.json.
std::map<std::string, std::string> read_weight_map(const std::filesystem::path& index) {
  const std::string where = printable_path(index);
  const Json json = parse_json(read_text_file(index), where);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    throw Error(ErrorCode::WrongType, where + ": expected an index of shards, found no weight_map");
  std::map<std::string, std::string> map;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : "";
    // Shards lie beside their index: a name that leads elsewhere is never followed.
    if (name.empty() || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\\\0", 3)) != name.npos)
      throw Error(ErrorCode::WrongType,
                  where + ": weight_map: expected file names beside the index, found " + quoted(shard));
    map[tensor] = name;
  }
  return map;
}

SafetensorsFile open_shard(const std::filesystem::path& index, const std::string& name) {
  const auto path = index.parent_path() / name;
  if (!path_exists(path))
    throw Error(ErrorCode::NotFound, printable_path(index) + ": shard " + printable(name) +
                                         " is missing; download the whole model");
  return SafetensorsFile::open(path);
}

}  // namespace

TensorFiles TensorFiles::open(const std::filesystem::path& path) {
  TensorFiles files;
  files.path_ = path;
  if (path.extension() != ".json") {
    files.files_.push_back(SafetensorsFile::open(path));
    files.tensors_ = files.files_.front().tensors();
    return files;
  }
  std::map<std::string, size_t> opened;  // Shard name -> position in files_.
  for (const auto& [tensor, shard] : read_weight_map(path)) {
    const auto [position, added] = opened.try_emplace(shard, files.files_.size());
    if (added) files.files_.push_back(open_shard(path, shard));
    const TensorView* view = files.files_[position->second].find(tensor);
    if (view == nullptr)
      throw Error(ErrorCode::WrongType, printable_path(path) + ": tensor \"" + printable(tensor) +
                                            "\" is not in shard " + printable(shard) +
                                            "; download the whole model again");
    files.tensors_[tensor] = *view;
  }
  return files;
}

const TensorView* TensorFiles::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::vector<std::string> TensorFiles::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

}  // namespace moshi::checkpoint
