// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/hf_cache.h"

#include <glib.h>

#include <algorithm>
#include <regex>

#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

namespace fs = std::filesystem;

/// An environment variable that holds a path, with a leading ~ resolved; "" where it is not set.
fs::path path_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return {};
  const std::string path = value;
  if (path == "~" || path.starts_with("~/"))
    return fs::path(g_get_home_dir()) / path.substr(std::min<size_t>(2, path.size()));
  return path;
}

[[noreturn]] void missing(const HfId& id, const std::string& what, const std::string& file = "") {
  throw Error(ErrorCode::NotFound, what + " is not in the Hugging Face cache " +
                                       printable_path(hf_cache_directory()) + "; run: hf download " +
                                       id.repository + (file.empty() ? "" : " " + file) +
                                       (id.revision.empty() ? "" : " --revision " + id.revision));
}

/// models--owner--name, as huggingface_hub/file_download.py, repo_folder_name.
fs::path repository_directory(const HfId& id) {
  std::string name = id.repository;
  name.replace(name.find('/'), 1, "--");
  return hf_cache_directory() / ("models--" + name);
}

/// The commit that a branch or tag is at, "" where the cache does not know it.
std::string commit_of(const fs::path& repository, const std::string& revision) {
  const fs::path reference = repository / "refs" / revision;
  if (!path_exists(reference) || directory_exists(reference)) return "";
  std::string commit = read_text_file(reference);
  commit.erase(std::ranges::find_if(commit, [](char c) { return !g_ascii_isxdigit(c); }), commit.end());
  return commit;
}

}  // namespace

std::optional<HfId> parse_hf_id(const std::string& text) {
  static const std::regex pattern(R"(([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w][\w./-]*))?)");
  std::smatch match;
  if (text.size() > 300 || !std::regex_match(text, match, pattern)) return std::nullopt;
  if (text.find("..") != text.npos) return std::nullopt;  // Never a way out of the cache.
  return HfId{match[1], match[2]};
}

fs::path hf_cache_directory() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (fs::path path = path_variable(name); !path.empty()) return path;
  if (const fs::path home = path_variable("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path cache = path_variable("XDG_CACHE_HOME"); !cache.empty())
    return cache / "huggingface/hub";
  return fs::path(g_get_home_dir()) / ".cache/huggingface/hub";
}

fs::path hf_snapshot(const HfId& id) {
  const std::string revision = id.revision.empty() ? "main" : id.revision;
  const fs::path repository = repository_directory(id);
  std::string commit = commit_of(repository, revision);
  if (commit.empty() && revision.find('/') == revision.npos) commit = revision;
  fs::path snapshot = repository / "snapshots" / commit;
  if (commit.empty() || !directory_exists(snapshot))
    missing(id, id.repository + (id.revision.empty() ? "" : "@" + id.revision));
  return snapshot;
}

fs::path hf_file(const std::string& repository, const std::string& file) {
  const HfId id{repository, ""};
  fs::path path;
  try {
    path = hf_snapshot(id) / file;
  } catch (const Error&) {
    missing(id, repository + "/" + file, file);
  }
  if (!path_exists(path)) missing(id, repository + "/" + file, file);
  return path;
}

}  // namespace moshi::checkpoint
