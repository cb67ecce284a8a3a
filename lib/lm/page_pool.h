// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace moshi::lm {

/// Keys and values of conversations on a CUDA device, taken a page of 64 positions at a time and given back
/// whole.
class PagePool {
 public:
  /// Layers, heads and dimensions of one position's keys; `options`: dtype and device.
  PagePool(int64_t layers, int64_t heads, int64_t head_dim, const at::TensorOptions& options);
  /// Address of a free page. Memory comes in chunks of 64 MiB, or of a page where that is more.
  int64_t take();
  void give_back(int64_t page) {
    free_.push_back(page);
    --taken_;
  }
  /// Writes random keys and values, all finite in every number format, for who measures. On LibTorch's
  /// stream.
  void fill_with_noise(int64_t page) const;
  /// Bytes of the pages in use; any thread may ask.
  [[nodiscard]] uint64_t taken_bytes() const { return taken_ * static_cast<uint64_t>(page_bytes_); }
  [[nodiscard]] int64_t page_bytes() const { return page_bytes_; }

 private:
  at::TensorOptions options_;
  int64_t page_bytes_;
  std::vector<at::Tensor> chunks_;
  std::vector<int64_t> free_;
  std::atomic<uint64_t> taken_ = 0;  ///< Pages.
};

}  // namespace moshi::lm
