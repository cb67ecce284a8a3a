// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "tensors.h"

#include <cstring>

#include "report.h"

namespace {

using moshi::checkpoint::Dtype;
using moshi::checkpoint::TensorView;

std::string describe(const TensorView& tensor) {
  std::string text = std::string(moshi::checkpoint::name_of(tensor.dtype)) + " [";
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(tensor.shape[i]);
  }
  return text + "]";
}

bool fits(const std::vector<int64_t>& found, const std::vector<int64_t>& wanted) {
  if (found.size() != wanted.size()) return false;
  for (size_t i = 0; i < found.size(); ++i) {
    if (wanted[i] < 0 ? found[i] < 1 : found[i] != wanted[i]) return false;
  }
  return true;
}

template <typename T>
Tensor<T> copy(const TensorView& view) {
  Tensor<T> tensor{view.shape, std::vector<T>(view.data.size() / sizeof(T))};
  if (!tensor.values.empty()) std::memcpy(tensor.values.data(), view.data.data(), view.data.size());
  return tensor;
}

}  // namespace

moshi::checkpoint::SafetensorsFile open_tensors(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    throw Failure(Status::BadFile,
                  path.string() + ": expected a safetensors file, found " +
                      (std::filesystem::exists(path, ignored) ? "no regular file" : "nothing of that name"));
  }
  return moshi::checkpoint::SafetensorsFile::open(path);
}

Tensor<int64_t> read_codes(const moshi::checkpoint::SafetensorsFile& file, const std::filesystem::path& path,
                           const std::string& name, const std::vector<int64_t>& shape,
                           const std::string& meaning) {
  const TensorView* view = file.find(name);
  const std::string expected = path.string() + ": expected a tensor '" + name + "', I64 " + meaning;
  if (view == nullptr) throw Failure(Status::BadFile, expected + ", found none of that name");
  if (view->dtype != Dtype::I64 || !fits(view->shape, shape)) {
    throw Failure(Status::BadFile, expected + ", found " + describe(*view));
  }
  return copy<int64_t>(*view);
}

std::optional<Tensor<uint8_t>> read_mask(const moshi::checkpoint::SafetensorsFile& file,
                                         const std::filesystem::path& path, const std::string& name,
                                         const std::vector<int64_t>& shape) {
  const TensorView* view = file.find(name);
  if (view == nullptr) return std::nullopt;
  if ((view->dtype != Dtype::U8 && view->dtype != Dtype::Bool) || !fits(view->shape, shape)) {
    throw Failure(Status::BadFile, path.string() + ": expected '" + name +
                                       "' as U8 [T, B] of the same steps and rows as the codes, found " +
                                       describe(*view));
  }
  return copy<uint8_t>(*view);
}

void check_range(const std::filesystem::path& path, std::span<const int64_t> codes, int64_t lowest,
                 int64_t highest) {
  for (const int64_t code : codes) {
    if (code < lowest || code > highest) {
      throw Failure(Status::BadFile, path.string() + ": expected codes from " + std::to_string(lowest) +
                                         " to " + std::to_string(highest) + ", found " +
                                         std::to_string(code) + "; was the file made for another model?");
    }
  }
}
