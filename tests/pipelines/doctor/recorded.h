// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "doctor/source.h"

namespace doctor {

/// A machine as situations.json records it.
class RecordedMachine : public Source {
 public:
  explicit RecordedMachine(nlohmann::json record) : record_(std::move(record)) {}
  [[nodiscard]] std::optional<std::string> read(const std::string& path) const override;
  [[nodiscard]] std::vector<std::string> list(const std::string& directory) const override;
  [[nodiscard]] bool exists(const std::string& path) const override;
  [[nodiscard]] bool accessible(const std::string& path) const override;
  [[nodiscard]] std::optional<std::string> environment(const std::string& name) const override;
  [[nodiscard]] Driver driver() const override;
  [[nodiscard]] Runtime runtime() const override;
  [[nodiscard]] moshi::BuildInfo build() const override;
  [[nodiscard]] std::vector<std::string> missing_elements() const override;
  /// The measured frame; nothing where none was recorded.
  [[nodiscard]] std::optional<Measurement> measured() const;

 private:
  nlohmann::json record_;
};

}  // namespace doctor
