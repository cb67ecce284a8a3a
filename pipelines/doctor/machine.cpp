// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// This machine as a source of facts.
#include <gst/gst.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "doctor/nvml.h"
#include "doctor/source.h"
#include "pipeline.h"

namespace doctor {

std::optional<std::string> ThisMachine::read(const std::string& path) const {
  const std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> ThisMachine::list(const std::string& directory) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

bool ThisMachine::exists(const std::string& path) const { return access(path.c_str(), F_OK) == 0; }

bool ThisMachine::accessible(const std::string& path) const { return access(path.c_str(), R_OK | W_OK) == 0; }

std::optional<std::string> ThisMachine::environment(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Driver ThisMachine::driver() const { return ask_nvml(); }

Runtime ThisMachine::runtime() const { return {moshi::list_devices(), moshi::cuda_problem()}; }

moshi::BuildInfo ThisMachine::build() const { return moshi::build_info(); }

std::vector<std::string> ThisMachine::missing_elements() const {
  gst_init(nullptr, nullptr);
  find_own_plugin();
  std::vector<std::string> missing;
  // Ours, and what the tool's pipelines are made of besides.
  for (const char* name : {"mimienc", "moshilm", "mimidec", "audioconvert", "audiorate", "audioresample",
                           "decodebin", "wavenc", "wavparse"}) {
    if (GstElementFactory* factory = gst_element_factory_find(name)) {
      gst_object_unref(factory);
    } else {
      missing.emplace_back(name);
    }
  }
  return missing;
}

}  // namespace doctor
