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

namespace moshi::nn {

/// Source of named tensors at one dtype on one device.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  [[nodiscard]] virtual bool has(const std::string& name) const = 0;
  /// The tensor, which must have `shape`; `dtype` nullopt: the source's own.
  virtual at::Tensor load(const std::string& name, at::IntArrayRef shape,
                          std::optional<at::ScalarType> dtype) = 0;
  /// Bytes handed out so far.
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 protected:
  uint64_t bytes_ = 0;
};

/// Called after each tensor with the bytes read so far and in all; may throw to stop the load.
using LoadMonitor = std::function<void(uint64_t done, uint64_t total)>;

/// Tensors of a checkpoint, converted one at a time straight from the mapped file.
class FileSource final : public TensorSource {
 public:
  FileSource(checkpoint::TensorFiles files, at::ScalarType dtype, at::Device device,
             LoadMonitor monitor = {});
  [[nodiscard]] bool has(const std::string& name) const override;
  /// Throws WrongType for a missing tensor, another shape (expected and found), or a dtype that is
  /// not floating point.
  at::Tensor load(const std::string& name, at::IntArrayRef shape,
                  std::optional<at::ScalarType> dtype) override;

  /// Throws WrongType naming the first tensor that no layer asked for; names for which `ignore` is
  /// true are left out.
  void check_all_used(const std::function<bool(const std::string&)>& ignore) const;

 private:
  checkpoint::TensorFiles files_;
  at::ScalarType dtype_;
  at::Device device_;
  LoadMonitor monitor_;
  std::set<std::string> used_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

/// Seeded random tensors of any name, scaled by 1 / sqrt(fan in); optional tensors do not exist.
class RandomSource final : public TensorSource {
 public:
  RandomSource(at::ScalarType dtype, at::Device device, uint64_t seed);
  [[nodiscard]] bool has(const std::string&) const override { return false; }
  at::Tensor load(const std::string& name, at::IntArrayRef shape,
                  std::optional<at::ScalarType> dtype) override;

 private:
  at::ScalarType dtype_;
  at::Device device_;
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

  /// `sets` matrices of `shape` under any of the names a projection of attention has had:
  /// `{name}_weight` and `{name}.weight` (all sets stacked on dim 0), `{name}s.{i}.weight` (split).
  /// Reference: moshi/modules/transformer.py, StreamingMultiheadAttention._load_hook.
  [[nodiscard]] std::vector<at::Tensor> projections(const std::string& name, int sets,
                                                    at::IntArrayRef shape) const;

 private:
  std::shared_ptr<TensorSource> source_;
  std::string prefix_;
};

}  // namespace moshi::nn
