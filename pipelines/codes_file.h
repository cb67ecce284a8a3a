// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Files of codes at both ends of a pipeline: `codes`, I64 [K, T].
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline.h"
#include "tensors.h"

/// The codes in `path`, such as `codec` has. Throws Failure(BadFile).
Tensor<int64_t> read_codes_file(const std::string& path, const moshi::CodecInfo& codec);

/// Adds a source that hands out `codes` [K, T], one frame a buffer.
GstElement* add_codes_source(Pipeline& pipeline, const Tensor<int64_t>& codes, const moshi::CodecInfo& codec);

/// Keeps the frames of codes that an encoder hands out.
class CodesCollector {
 public:
  explicit CodesCollector(int codebooks) : codebooks_(static_cast<size_t>(codebooks)) {}
  /// Adds a sink that keeps what reaches it; this object must outlive the pipeline's run.
  GstElement* add_sink(Pipeline& pipeline);
  /// T.
  [[nodiscard]] size_t steps() const { return frames_.size() / codebooks_; }
  /// Writes them to `path`.
  void write(const std::filesystem::path& path) const;

 private:
  size_t codebooks_;
  std::vector<uint16_t> frames_;  // one after the other
};
