// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "doctor/facts.h"

namespace doctor {

/// Where facts come from: this machine (ThisMachine), or one that a test recorded.
class Source {
 public:
  virtual ~Source() = default;
  /// A file's text; nothing where it cannot be read.
  [[nodiscard]] virtual std::optional<std::string> read(const std::string& path) const = 0;
  /// Names in a directory; none where it cannot be read.
  [[nodiscard]] virtual std::vector<std::string> list(const std::string& directory) const = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) const = 0;
  /// Whether this user may read and write a file.
  [[nodiscard]] virtual bool accessible(const std::string& path) const = 0;
  /// A variable of the environment; nothing where it is not set.
  [[nodiscard]] virtual std::optional<std::string> environment(const std::string& name) const = 0;
  [[nodiscard]] virtual Driver driver() const = 0;
  [[nodiscard]] virtual Runtime runtime() const = 0;
  [[nodiscard]] virtual moshi::BuildInfo build() const = 0;
  [[nodiscard]] virtual std::vector<std::string> missing_elements() const = 0;
};

/// All facts but the measurement.
Facts probe(const Source& source);

/// The machine this runs on.
class ThisMachine : public Source {
 public:
  [[nodiscard]] std::optional<std::string> read(const std::string& path) const override;
  [[nodiscard]] std::vector<std::string> list(const std::string& directory) const override;
  [[nodiscard]] bool exists(const std::string& path) const override;
  [[nodiscard]] bool accessible(const std::string& path) const override;
  [[nodiscard]] std::optional<std::string> environment(const std::string& name) const override;
  [[nodiscard]] Driver driver() const override;
  [[nodiscard]] Runtime runtime() const override;
  [[nodiscard]] moshi::BuildInfo build() const override;
  [[nodiscard]] std::vector<std::string> missing_elements() const override;
};

}  // namespace doctor
