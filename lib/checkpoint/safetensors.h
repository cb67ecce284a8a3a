// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Reading and writing safetensors files (https://github.com/huggingface/safetensors#format).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moshi::checkpoint {

/// Element types of the format.
enum class Dtype { Bool, U8, I8, F8E4M3, F8E5M2, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64 };

/// Bytes of one element.
size_t size_of(Dtype dtype);
/// The name the format uses: "BF16".
std::string_view name_of(Dtype dtype);

/// One tensor inside a mapped file; valid as long as its file object lives.
struct TensorView {
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;  ///< Row-major, little-endian, no alignment promised.
};

/// A memory-mapped safetensors file. The header is checked completely before any tensor is handed
/// out: ranges inside the file, contiguous, not overlapping, sizes equal to shape times dtype.
class SafetensorsFile {
 public:
  /// Maps and checks `path`. Throws Error NotFound or WrongType.
  static SafetensorsFile open(const std::filesystem::path& path);
  /// Checks a file's bytes in memory (`name` is for messages); `bytes` must outlive the object.
  static SafetensorsFile parse(std::span<const std::byte> bytes, const std::string& name);

  [[nodiscard]] const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  /// nullptr where there is none.
  [[nodiscard]] const TensorView* find(const std::string& name) const;
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::shared_ptr<const void> mapping_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// The tensors of one checkpoint, whether a single file or shards behind `*.safetensors.index.json`.
class TensorFiles {
 public:
  /// `path`: a .safetensors file, or an index.json whose shards lie beside it. Throws as
  /// SafetensorsFile::open; a missing shard is NotFound and named.
  static TensorFiles open(const std::filesystem::path& path);
  [[nodiscard]] const TensorView* find(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  /// Path for messages.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, TensorView> tensors_;
};

/// A tensor to write.
struct TensorToWrite {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
};

/// Writes a safetensors file completely or not at all (temporary file, then rename). Throws NotFound
/// where the directory is missing, Failed where writing fails.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors);

}  // namespace moshi::checkpoint
