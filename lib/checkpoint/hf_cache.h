// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The local Hugging Face cache, read only; nothing here uses the network.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace moshi::checkpoint {

/// A model repository on the hub: "owner/name" or "owner/name@revision".
struct HfId {
  std::string repository;
  std::string revision;  ///< Branch, tag or commit; "" means main.
};

/// The id that `text` spells, or nothing where it is none.
std::optional<HfId> parse_hf_id(const std::string& text);

/// The cache's directory: $HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or
/// ~/.cache/huggingface/hub. Source: huggingface_hub/constants.py.
std::filesystem::path hf_cache_directory();

/// The snapshot directory of `id`. Throws NotFound with the command that downloads it.
std::filesystem::path hf_snapshot(const HfId& id);

/// `file` of a repository's main revision. Throws NotFound with the command that downloads it.
std::filesystem::path hf_file(const std::string& repository, const std::string& file);

}  // namespace moshi::checkpoint
