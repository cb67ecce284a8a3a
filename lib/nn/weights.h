// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Where the layers get their parameters from: a checkpoint file, or random numbers for measuring.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "nn/linear.h"

namespace moshi::cuda {
class Upload;
}

namespace moshi::nn {

/// What matrices are stored as: like every tensor, or as 8-bit integers.
enum class MatrixKind { Plain, Int8 };

/// Source of named tensors at one dtype on one device.
class TensorSource {
 public:
  /// `options`: dtype and device of what it gives.
  explicit TensorSource(const at::TensorOptions& options = at::kFloat,
                        MatrixKind matrices = MatrixKind::Plain)
      : options_(options), matrices_(matrices) {}
  virtual ~TensorSource() = default;
  TensorSource(const TensorSource&) = delete;
  TensorSource& operator=(const TensorSource&) = delete;
  [[nodiscard]] virtual bool has(const std::string& name) const = 0;
  /// The tensor, which must have `shape`; `dtype` nullopt: the source's own.
  virtual at::Tensor load(const std::string& name, at::IntArrayRef shape,
                          std::optional<at::ScalarType> dtype) = 0;
  /// The weight matrix of a linear layer as the source stores matrices; `shape` [out, in].
  virtual Matrix matrix(const std::string& name, at::IntArrayRef shape);
  /// Dtype and device of what it gives.
  [[nodiscard]] const at::TensorOptions& options() const { return options_; }
  /// Bytes handed out so far.
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 protected:
  at::TensorOptions options_;
  MatrixKind matrices_;
  uint64_t bytes_ = 0;
};

/// Called after each tensor with the bytes read so far and in all; may throw to stop the load.
using LoadMonitor = std::function<void(uint64_t done, uint64_t total)>;

/// Tensors of a checkpoint, converted one at a time straight from the mapped file. A matrix may be stored as
/// int8 with the f32 tensor `{name}_scb` beside it (moshi/utils/quantize.py, QLinear): row o is q * scb[o] /
/// 127.
class FileSource final : public TensorSource {
 public:
  FileSource(checkpoint::TensorFiles files, const at::TensorOptions& options, MatrixKind matrices,
             LoadMonitor monitor = {});
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  [[nodiscard]] bool has(const std::string& name) const override;
  /// Throws WrongType for a missing tensor, another shape (expected and found), or a dtype that is
  /// neither floating point nor int8 with scales.
  at::Tensor load(const std::string& name, at::IntArrayRef shape,
                  std::optional<at::ScalarType> dtype) override;
  Matrix matrix(const std::string& name, at::IntArrayRef shape) override;

  /// Throws WrongType naming the first tensor that no layer asked for; names for which `ignore` is
  /// true are left out.
  void check_all_used(const std::function<bool(const std::string&)>& ignore) const;

 private:
  /// The tensor in the file: floating, or int8 where it has scales. To be copied from only.
  at::Tensor mapped(const std::string& name, at::IntArrayRef shape);
  [[nodiscard]] at::Tensor copied(const at::Tensor& mapped, at::ScalarType dtype);
  /// The same on the device.
  [[nodiscard]] at::Tensor sent(const at::Tensor& mapped);
  Matrix integers(const std::string& name, const at::Tensor& mapped_values);

  checkpoint::TensorFiles files_;
  LoadMonitor monitor_;
  std::unique_ptr<cuda::Upload> upload_;  ///< Made on first need.
  std::set<std::string> used_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

/// Seeded random tensors of any name, scaled by 1 / sqrt(fan in); optional tensors do not exist.
class RandomSource final : public TensorSource {
 public:
  RandomSource(const at::TensorOptions& options, MatrixKind matrices, uint64_t seed);
  [[nodiscard]] bool has(const std::string&) const override { return false; }
  at::Tensor load(const std::string& name, at::IntArrayRef shape,
                  std::optional<at::ScalarType> dtype) override;

 private:
  at::Generator generator_;
};

/// A source seen from inside a prefix: `weights["layers"]["0"].get("norm1.weight", shape)`.
class Weights {
 public:
  explicit Weights(std::shared_ptr<TensorSource> source, std::string prefix = "");
  /// The same source one level deeper.
  [[nodiscard]] Weights operator[](const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const { return source_->has(prefix_ + name); }
  [[nodiscard]] at::Tensor get(const std::string& name, at::IntArrayRef shape,
                               std::optional<at::ScalarType> dtype = std::nullopt) const;
  /// An undefined tensor where there is none.
  [[nodiscard]] at::Tensor get_if(bool wanted, const std::string& name, at::IntArrayRef shape) const;

  [[nodiscard]] Matrix matrix(const std::string& name, at::IntArrayRef shape) const;
  /// Bytes handed out so far by the source.
  [[nodiscard]] uint64_t bytes() const { return source_->bytes(); }
  /// Dtype and device of the tensors.
  [[nodiscard]] const at::TensorOptions& options() const { return source_->options(); }

  /// `sets` matrices of `shape` under any of the names a projection of attention has had:
  /// `{name}_weight` and `{name}.weight` (all sets stacked on dim 0), `{name}s.{i}.weight` (split).
  /// Reference: moshi/modules/transformer.py, StreamingMultiheadAttention._load_hook.
  [[nodiscard]] std::vector<Matrix> projections(const std::string& name, int sets,
                                                at::IntArrayRef shape) const;

 private:
  std::shared_ptr<TensorSource> source_;
  std::string prefix_;
};

}  // namespace moshi::nn
