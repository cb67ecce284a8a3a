// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Streams with memories on the device, for the tests of the codec's kernels.
#pragma once

#include <vector>

#include "cuda/codec/convolve.h"
#include "kernels.h"

namespace moshi::cuda {

/// `count` streams with a memory of `values` floats each, full of what must not be read.
class DeviceStreams {
 public:
  DeviceStreams(int count, int64_t values)
      : memories_(at::full({count, values}, NAN, at::TensorOptions(at::kFloat).device(kGpu))),
        frames_(static_cast<size_t>(count), 0) {}
  /// Those of `which`, at their frames; each goes on by one.
  Streams next(const std::vector<int>& which) {
    std::vector<int64_t> addresses;
    std::vector<int> frames;
    for (const int i : which) {
      addresses.push_back(i < 0 ? 0 : reinterpret_cast<int64_t>(memories_[i].data_ptr()));
      frames.push_back(i < 0 ? 0 : frames_[static_cast<size_t>(i)]++);
    }
    addresses_on_device_ = at::tensor(addresses, at::kLong).to(kGpu);
    frames_on_device_ = at::tensor(frames, at::kInt).to(kGpu);
    return {static_cast<float* const*>(addresses_on_device_.data_ptr()), frames_on_device_.data_ptr<int>(),
            static_cast<int>(which.size())};
  }

 private:
  at::Tensor memories_;
  std::vector<int> frames_;
  at::Tensor addresses_on_device_;
  at::Tensor frames_on_device_;
};

/// 0 to count - 1.
inline std::vector<int> first_streams(int count) {
  std::vector<int> which;
  for (int i = 0; i < count; ++i) which.push_back(i);
  return which;
}

inline at::Tensor device_zeros(at::IntArrayRef shape) {
  return at::zeros(shape, at::TensorOptions(at::kFloat).device(kGpu));
}

}  // namespace moshi::cuda
