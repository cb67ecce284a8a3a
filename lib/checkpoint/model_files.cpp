// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/model_files.h"

#include <dlfcn.h>

#include <cstdlib>

#include "checkpoint/hf_cache.h"
#include "checkpoint/text_file.h"
#include "checkpoint/warnings.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

namespace fs = std::filesystem;

/// The embedded model: installed with the library, else in the source.
fs::path embedded_directory() {
  Dl_info library{};
  if (dladdr(reinterpret_cast<const void*>(&embedded_directory), &library) != 0) {
    fs::path installed = fs::path(library.dli_fname).parent_path() / MOSHI_MODEL_FROM_LIBRARY;
    if (directory_exists(installed)) return installed;
  }
  return MOSHI_SOURCE_MODEL;
}

/// The directory of the model that is used when none is named.
fs::path default_directory() {
  const char* variable = std::getenv("GST_MOSHI_MODEL_DIR");
  fs::path directory = variable != nullptr && *variable != '\0' ? variable : embedded_directory();
  if (!directory_exists(directory))
    throw Error(ErrorCode::NotFound, "no model given, and the default one is not in " +
                                         printable_path(directory) +
                                         "; name a model, or set GST_MOSHI_MODEL_DIR");
  return directory;
}

fs::path directory_of(const std::string& model) {
  if (model.empty()) return default_directory();
  if (directory_exists(model)) return model;
  if (path_exists(model))
    throw Error(
        ErrorCode::WrongType,
        printable_path(model) + ": expected a model's directory, found a file; give the directory it is in");
  if (const auto id = parse_hf_id(model)) return hf_snapshot(*id);
  throw Error(ErrorCode::NotFound,
              printable(model) +
                  ": expected a model's directory or a Hugging Face id (owner/name), found "
                  "neither; check the path");
}

/// The file a value of config.json names. Source: moshi/models/loaders.py, hf_get.
fs::path resolve_file(const fs::path& directory, const std::string& value, const std::string& where) {
  constexpr std::string_view file = "file://";
  constexpr std::string_view hf = "hf://";
  if (value.starts_with(file)) return value.substr(file.size());
  if (!value.starts_with(hf)) return directory / value;
  const size_t owner_end = value.find('/', hf.size());
  const size_t name_end = owner_end == value.npos ? value.npos : value.find('/', owner_end + 1);
  const auto id =
      parse_hf_id(value.substr(hf.size(), name_end == value.npos ? name_end : name_end - hf.size()));
  const std::string path = name_end == value.npos ? "" : value.substr(name_end + 1);
  if (!id || path.empty() || path.front() == '/' || path.find("..") != path.npos)
    throw Error(ErrorCode::WrongType,
                where + ": expected hf://owner/name/file, found \"" + printable(value) + "\"");
  return hf_file(id->repository, path);
}

/// A sharded model has an index in place of the file that its configuration names.
fs::path or_its_index(const fs::path& file) {
  fs::path index = file;
  index += ".index.json";
  return !path_exists(file) && path_exists(index) ? index : file;
}

void check_codec(const ModelConfig& config, const std::string& where) {
  const auto fail = [&](const std::string& problem) {
    throw Error(ErrorCode::WrongType, where + ": " + problem + "; the files are not of one model");
  };
  if (config.codec_codebooks() > config.mimi.n_q)
    fail("the language model needs " + std::to_string(config.codec_codebooks()) +
         " codebooks, the codec has " + std::to_string(config.mimi.n_q));
  if (config.lm.card != config.mimi.bins)
    fail("the language model's card is " + std::to_string(config.lm.card) + ", the codec's bins are " +
         std::to_string(config.mimi.bins));
}

}  // namespace

ModelConfig load_config(const fs::path& path) {
  const std::string where = printable_path(path);
  ModelConfig config = parse_model_config(read_text_file(path), where);
  if (!config.mimi_config_name.empty()) {
    const fs::path mimi = resolve_file(path.parent_path(), config.mimi_config_name, where);
    config.mimi = parse_mimi_config(read_text_file(mimi), printable_path(mimi));
  }
  check_codec(config, where);
  return config;
}

ModelFiles resolve_model(const std::string& model) {
  ModelFiles files;
  std::error_code error;
  const fs::path directory = fs::canonical(directory_of(model), error);
  if (error)
    throw Error(ErrorCode::NotFound, printable(model) + ": its directory cannot be reached; check the path");
  files.canonical = directory;
  const fs::path config = directory / "config.json";
  const std::string where = printable_path(config);
  if (path_exists(config)) {
    files.config = load_config(config);
  } else {
    warn(printable_path(directory) + " has no config.json: taken for Moshi 7B");
    files.config = builtin_config("7b");
  }
  files.lm = or_its_index(resolve_file(directory, files.config.moshi_name, where));
  files.mimi = resolve_file(directory, files.config.mimi_name, where);
  files.tokenizer = resolve_file(directory, files.config.tokenizer_name, where);
  return files;
}

}  // namespace moshi::checkpoint
