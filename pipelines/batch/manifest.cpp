// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/manifest.h"

#include <glob.h>
#include <gst/gst.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "report.h"

namespace fs = std::filesystem;

namespace batch {
namespace {

/// The endings GStreamer knows of sound and films, lower case with their dot.
std::set<std::string> media_endings() {
  std::set<std::string> endings;
  GList* factories = gst_type_find_factory_get_list();
  for (GList* item = factories; item != nullptr; item = item->next) {
    auto* factory = GST_TYPE_FIND_FACTORY(item->data);
    const std::string type = GST_OBJECT_NAME(factory);
    const bool media = type.starts_with("audio/") || type.starts_with("video/") || type == "application/ogg";
    const gchar* const* known = gst_type_find_factory_get_extensions(factory);
    for (; media && known != nullptr && *known != nullptr; ++known) endings.insert(std::string(".") + *known);
  }
  gst_plugin_feature_list_free(factories);
  return endings;
}

/// Lists what directories and patterns stand for.
class Search {
 public:
  Search(fs::path output, bool codes)
      : output_(fs::weakly_canonical(output)),
        endings_(codes ? std::set<std::string>{".safetensors"} : media_endings()) {}

  /// Adds the files that `entry` names; `place` is where it was written.
  void add(const std::string& place, const std::string& entry, std::vector<Recording>& found) const {
    std::error_code ignored;
    if (fs::is_directory(entry, ignored)) {
      add_directory(entry, found);
    } else if (!fs::exists(entry, ignored) && entry.find_first_of("*?[") != std::string::npos) {
      add_pattern(place, entry, found);
    } else {
      found.push_back({.path = entry});
    }
  }

 private:
  void add_directory(const fs::path& directory, std::vector<Recording>& found) const {
    std::vector<std::string> names;
    std::error_code error;
    auto entry = fs::recursive_directory_iterator(directory, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      if (fs::weakly_canonical(entry->path()) == output_) entry.disable_recursion_pending();
      if (entry->is_regular_file() && is_media(entry->path())) names.push_back(entry->path().string());
    }
    if (error) {
      throw Failure(Status::BadFile,
                    directory.string() + ": expected a directory to read, found: " + error.message());
    }
    std::sort(names.begin(), names.end());
    for (std::string& name : names) found.push_back({.path = std::move(name)});
  }

  void add_pattern(const std::string& place, const std::string& pattern,
                   std::vector<Recording>& found) const {
    glob_t matches = {};
    const int failed = glob(pattern.c_str(), 0, nullptr, &matches);
    const std::vector<std::string> names(matches.gl_pathv,
                                         matches.gl_pathv + (failed != 0 ? 0 : matches.gl_pathc));
    globfree(&matches);
    if (names.empty()) {
      throw Failure(Status::BadFile, place + "expected files, found none that match " + pattern);
    }
    for (const std::string& name : names) add(place, name, found);
  }

  [[nodiscard]] bool is_media(const fs::path& path) const {
    std::string ending = path.extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return endings_.contains(ending) && !path.filename().string().starts_with('.');
  }

  fs::path output_;
  std::set<std::string> endings_;
};

/// A number of `line`, 0 where it has none of that name.
template <typename Number>
Number number_of(const nlohmann::json& line, const std::string& place, const char* key) {
  const auto value = line.find(key);
  if (value == line.end() || value->is_null()) return 0;
  const bool fits = std::is_integral_v<Number> ? value->is_number_unsigned() : value->is_number();
  if (!fits || value->template get<double>() < 0) {
    throw Failure(Status::Usage, place + "\"" + key + "\": expected " +
                                     (std::is_integral_v<Number> ? "a whole number" : "seconds") +
                                     ", found " + value->dump());
  }
  return value->template get<Number>();
}

std::string text_of(const nlohmann::json& line, const std::string& place, const char* key) {
  if (!line[key].is_string() || line[key].get<std::string>().empty()) {
    throw Failure(Status::Usage, place + "\"" + key + "\": expected text, found " + line[key].dump());
  }
  return line[key].get<std::string>();
}

Recording read_line(const std::string& text, const std::string& place) {
  const auto line = nlohmann::json::parse(text, nullptr, false);
  if (line.is_discarded() || !line.contains("path")) {
    throw Failure(Status::Usage, place +
                                     R"(expected a path or {"path": ..., "id": ..., "seed": ..., "start": )" +
                                     R"(..., "end": ...}, found )" + text);
  }
  static const std::set<std::string> known = {"path", "id", "seed", "start", "end"};
  for (const auto& [key, value] : line.items()) {
    if (!known.contains(key)) {
      throw Failure(Status::Usage,
                    place + "expected the keys path, id, seed, start and end, found \"" + key + "\"");
    }
  }
  Recording recording = {.path = text_of(line, place, "path"),
                         .id = line.contains("id") ? text_of(line, place, "id") : "",
                         .seed = number_of<uint64_t>(line, place, "seed"),
                         .start = number_of<double>(line, place, "start"),
                         .end = number_of<double>(line, place, "end")};
  if (recording.end > 0 && recording.end <= recording.start) {
    throw Failure(Status::Usage, place + "expected \"end\" after \"start\", found " + text);
  }
  return recording;
}

void read_manifest(const std::string& path, const Search& search, std::vector<Recording>& found) {
  std::ifstream file(path);
  if (!file) throw Failure(Status::BadFile, path + ": expected a manifest, found no file to read");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string place = path + ":" + std::to_string(number) + ": ";
    if (line.starts_with('{')) {
      found.push_back(read_line(line, place));
    } else {
      search.add(place, line, found);
    }
  }
}

/// The report lies beside the outputs.
bool is_reserved(const std::string& id) { return id == "report" || id.starts_with("report."); }

/// Gives each recording a name of its own: those without one their file's, numbered where others have it.
void name(std::vector<Recording>& recordings) {
  std::set<std::string> taken;
  for (const Recording& recording : recordings) {
    if (recording.id.empty()) continue;
    if (recording.id.find('/') != std::string::npos || recording.id.starts_with('.') ||
        is_reserved(recording.id)) {
      throw Failure(
          Status::Usage,
          "\"id\": expected the name of a file without its ending (not report), found " + recording.id);
    }
    if (!taken.insert(recording.id).second) {
      throw Failure(Status::Usage, "\"id\": expected each once, found " + recording.id + " twice");
    }
  }
  std::map<std::string, int> count;
  for (Recording& recording : recordings) {
    if (!recording.id.empty()) continue;
    const std::string stem = fs::path(recording.path).stem().string();
    recording.id = stem;
    while (is_reserved(recording.id) || !taken.insert(recording.id).second) {
      recording.id = stem + "-" + std::to_string(++count[stem] + 1);
      if (is_reserved(recording.id)) recording.id.insert(0, "the-");
    }
  }
}

}  // namespace

std::vector<Recording> list_recordings(const std::vector<std::string>& entries, const std::string& manifest,
                                       const fs::path& output, bool codes) {
  const Search search(output, codes);
  std::vector<Recording> recordings;
  for (const std::string& entry : entries) search.add("", entry, recordings);
  if (!manifest.empty()) read_manifest(manifest, search, recordings);
  if (recordings.empty()) throw Failure(Status::BadFile, "expected recordings, found none");
  name(recordings);
  return recordings;
}

}  // namespace batch
