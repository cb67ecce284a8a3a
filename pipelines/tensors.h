// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Tensors in the tool's safetensors files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"

/// A tensor read from a file.
template <typename T>
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<T> values;  ///< Row-major.
};

/// Opens a file of tensors; throws Failure(BadFile) where there is none.
moshi::checkpoint::SafetensorsFile open_tensors(const std::filesystem::path& path);

/// The int64 tensor `name` of the file `path`. -1 in `shape` stands for any positive size; `meaning`
/// names the shape in messages ("[B, 8, T]"). Throws Failure(BadFile).
Tensor<int64_t> read_codes(const moshi::checkpoint::SafetensorsFile& file, const std::filesystem::path& path,
                           const std::string& name, const std::vector<int64_t>& shape,
                           const std::string& meaning);

/// An optional uint8 (or bool) tensor of exactly `shape`; nothing where the file has none.
std::optional<Tensor<uint8_t>> read_mask(const moshi::checkpoint::SafetensorsFile& file,
                                         const std::filesystem::path& path, const std::string& name,
                                         const std::vector<int64_t>& shape);

/// Throws Failure(BadFile) unless all codes are in [lowest, highest].
void check_range(const std::filesystem::path& path, std::span<const int64_t> codes, int64_t lowest,
                 int64_t highest);

/// A tensor to write over `values`, which must outlive it.
template <typename T>
moshi::checkpoint::TensorToWrite tensor_to_write(const std::string& name, moshi::checkpoint::Dtype dtype,
                                                 std::vector<int64_t> shape, const std::vector<T>& values) {
  return {name, dtype, std::move(shape), std::as_bytes(std::span<const T>(values))};
}
