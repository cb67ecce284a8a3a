// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/weights.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <sstream>
#include <utility>

#include "moshi/moshi.h"
#include "nn/memory.h"
#ifdef MOSHI_CUDA
#include <c10/core/DeviceGuard.h>

#include "cuda/upload.h"
#else
namespace moshi::cuda {
class Upload {};
}  // namespace moshi::cuda
#endif

namespace moshi::nn {
namespace {

/// Ends the name of an int8 matrix's scales.
const char* const kScaleSuffix = "_scb";

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

std::optional<at::ScalarType> scalar_type(checkpoint::Dtype dtype) {
  using checkpoint::Dtype;
  switch (dtype) {
    case Dtype::F64:
      return at::kDouble;
    case Dtype::F32:
      return at::kFloat;
    case Dtype::F16:
      return at::kHalf;
    case Dtype::BF16:
      return at::kBFloat16;
    case Dtype::F8E4M3:
      return at::kFloat8_e4m3fn;
    case Dtype::F8E5M2:
      return at::kFloat8_e5m2;
    default:
      return std::nullopt;
  }
}

}  // namespace

Matrix TensorSource::matrix(const std::string& name, at::IntArrayRef shape) {
  if (matrices_ == MatrixKind::Plain) {
    return {load(name, shape, std::nullopt), {}};
  }
  const uint64_t before = bytes_;
  Matrix matrix = quantized(load(name, shape, at::kFloat));
  release_spare_memory(options_.device());
  bytes_ = before + matrix.values.nbytes() + matrix.scale.nbytes();
  return matrix;
}

FileSource::FileSource(checkpoint::TensorFiles files, const at::TensorOptions& options, MatrixKind matrices,
                       LoadMonitor monitor)
    : TensorSource(options, matrices), files_(std::move(files)), monitor_(std::move(monitor)) {
  for (const std::string& name : files_.names()) {
    total_ += files_.find(name)->data.size();
  }
}

FileSource::~FileSource() = default;

bool FileSource::has(const std::string& name) const { return files_.find(name) != nullptr; }

at::Tensor FileSource::mapped(const std::string& name, at::IntArrayRef shape) {
  const checkpoint::TensorView* view = files_.find(name);
  const std::string where = files_.path().string() + ": tensor " + name;
  if (view == nullptr) {
    throw Error(ErrorCode::WrongType, where + " is missing; expected " + shape_text(shape) +
                                          " by config.json: use the files of one model together");
  }
  if (at::IntArrayRef(view->shape) != shape) {
    throw Error(ErrorCode::WrongType, where + " has shape " + shape_text(view->shape) + ", expected " +
                                          shape_text(shape) +
                                          " by config.json: use the files of one model together");
  }
  const bool integers = view->dtype == checkpoint::Dtype::I8 && has(name + kScaleSuffix);
  const auto stored = integers ? at::kChar : scalar_type(view->dtype);
  if (!stored) {
    throw Error(ErrorCode::WrongType, where + " has type " + std::string(checkpoint::name_of(view->dtype)) +
                                          ", expected floating point, or I8 with " + name + kScaleSuffix +
                                          " beside it: use a checkpoint for PyTorch");
  }
  used_.insert(name);
  done_ += view->data.size();
  if (monitor_) {
    monitor_(done_, total_);
  }
  // A mapped file is read-only and not aligned: from_blob only ever serves as the source of a copy.
  auto* data = const_cast<std::byte*>(view->data.data());
  return at::from_blob(data, shape, at::TensorOptions().dtype(*stored));
}

at::Tensor FileSource::copied(const at::Tensor& mapped, at::ScalarType dtype) {
  // The meta device has shapes only; other devices convert after the copy, at their own speed.
  if (options_.device().is_cuda()) return sent(mapped).to(dtype);
  at::Tensor tensor = at::empty(mapped.sizes(), options_.dtype(dtype));
  if (!tensor.is_meta()) tensor.copy_(mapped);
  return tensor;
}

at::Tensor FileSource::sent(const at::Tensor& mapped) {
  at::Tensor tensor = at::empty(mapped.sizes(), options_.dtype(mapped.scalar_type()));
#ifdef MOSHI_CUDA
  const c10::DeviceGuard guard(tensor.device());
  if (!upload_) upload_ = std::make_unique<cuda::Upload>();
  upload_->copy(tensor.data_ptr(), mapped.const_data_ptr(), tensor.nbytes());
#endif
  return tensor;
}

Matrix FileSource::integers(const std::string& name, const at::Tensor& mapped_values) {
  return {copied(mapped_values, at::kChar),
          copied(mapped(name + kScaleSuffix, {mapped_values.size(0)}), at::kFloat) / 127};
}

at::Tensor FileSource::load(const std::string& name, at::IntArrayRef shape,
                            std::optional<at::ScalarType> dtype) {
  const at::ScalarType wanted = dtype.value_or(options_.dtype().toScalarType());
  const at::Tensor stored = mapped(name, shape);
  at::Tensor tensor;
  if (stored.scalar_type() == at::kChar) {
    const Matrix matrix = integers(name, stored);
    tensor = (matrix.values * matrix.scale.unsqueeze(1)).to(wanted);
  } else {
    tensor = copied(stored, wanted);
  }
  bytes_ += tensor.nbytes();
  return tensor;
}

Matrix FileSource::matrix(const std::string& name, at::IntArrayRef shape) {
  const checkpoint::TensorView* view = files_.find(name);
  if (matrices_ == MatrixKind::Plain || view == nullptr || view->dtype != checkpoint::Dtype::I8) {
    return TensorSource::matrix(name, shape);
  }
  Matrix matrix = integers(name, mapped(name, shape));
  bytes_ += matrix.values.nbytes() + matrix.scale.nbytes();
  return matrix;
}

void FileSource::check_all_used(const std::function<bool(const std::string&)>& ignore) const {
  for (const std::string& name : files_.names()) {
    if (!used_.contains(name) && !ignore(name)) {
      throw Error(ErrorCode::WrongType, files_.path().string() + ": tensor " + name +
                                            " belongs to no part of the model in config.json:"
                                            " use the files of one model together");
    }
  }
}

RandomSource::RandomSource(const at::TensorOptions& options, MatrixKind matrices, uint64_t seed)
    : TensorSource(options, matrices), generator_(at::detail::createCPUGenerator(seed)) {}

at::Tensor RandomSource::load(const std::string& name, at::IntArrayRef shape,
                              std::optional<at::ScalarType> dtype) {
  const auto options = dtype ? options_.dtype(*dtype) : options_;
  at::Tensor tensor;
  if (name.ends_with("alpha") || name.ends_with("norm1.weight") || name.ends_with("norm2.weight") ||
      name.ends_with("cluster_usage") || name.ends_with(".scale")) {
    tensor = at::ones(shape, options);
  } else if (shape.size() < 2) {
    tensor = at::zeros(shape, options);
  } else {
    int64_t fan_in = 1;
    for (size_t i = 1; i < shape.size(); ++i) {
      fan_in *= shape[i];
    }
    // Repeating a short random row keeps this quick for billions of parameters.
    const int64_t count = c10::multiply_integers(shape);
    const int64_t period = std::min<int64_t>(count, 1048573);
    const at::Tensor noise = at::randn({period}, generator_, at::TensorOptions().dtype(at::kFloat))
                                 .div_(std::sqrt(static_cast<double>(fan_in)))
                                 .to(options);
    tensor = at::empty({count}, options);
    for (int64_t start = 0; start < count; start += period) {
      const int64_t length = std::min(period, count - start);
      tensor.narrow(0, start, length).copy_(noise.narrow(0, 0, length));
    }
    tensor = tensor.view(shape);
  }
  bytes_ += tensor.nbytes();
  return tensor;
}

Weights::Weights(std::shared_ptr<TensorSource> source, std::string prefix)
    : source_(std::move(source)), prefix_(std::move(prefix)) {}

Weights Weights::operator[](const std::string& name) const { return Weights(source_, prefix_ + name + "."); }

at::Tensor Weights::get(const std::string& name, at::IntArrayRef shape,
                        std::optional<at::ScalarType> dtype) const {
  return source_->load(prefix_ + name, shape, dtype);
}

Matrix Weights::matrix(const std::string& name, at::IntArrayRef shape) const {
  return source_->matrix(prefix_ + name, shape);
}

at::Tensor Weights::get_if(bool wanted, const std::string& name, at::IntArrayRef shape) const {
  return wanted ? get(name, shape) : at::Tensor();
}

std::vector<Matrix> Weights::projections(const std::string& name, int sets, at::IntArrayRef shape) const {
  std::vector<Matrix> matrices;
  if (has(name + "s.0.weight")) {
    for (int set = 0; set < sets; ++set) {
      matrices.push_back(matrix(name + "s." + std::to_string(set) + ".weight", shape));
    }
    return matrices;
  }
  auto packed_shape = shape.vec();
  packed_shape[0] *= sets;
  const Matrix packed = matrix(has(name + ".weight") ? name + ".weight" : name + "_weight", packed_shape);
  for (int set = 0; set < sets; ++set) {
    matrices.push_back(packed.rows(set * shape[0], shape[0]));
  }
  return matrices;
}

}  // namespace moshi::nn
