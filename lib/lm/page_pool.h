// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

namespace moshi::lm {

/// Keys and values of conversations on a CUDA device, taken a page of 64 positions at a time and given back
/// whole. Device memory comes in chunks, which stay.
class PagePool {
 public:
  PagePool(int64_t page_bytes, at::Device device) : page_bytes_(page_bytes), device_(device) {}
  /// Address of a free page; allocates only where none has been made ready.
  int64_t take();
  void give_back(int64_t page);
  /// Makes sure that `pages` pages are free, as far as memory allows.
  void reserve(int64_t pages);
  /// Likewise for what may be needed soon: of `pages`, as many as may lie unused.
  void keep_ready(int64_t pages) { reserve(std::min(pages, most_ready())); }
  /// Writes random keys and values, all finite in every number format, for who measures. On LibTorch's
  /// stream.
  void fill_with_noise(int64_t page) const;
  /// Bytes of the pages in use; any thread may ask.
  [[nodiscard]] uint64_t taken_bytes() const { return taken_ * static_cast<uint64_t>(page_bytes_); }

 private:
  void allocate(int64_t pages);
  [[nodiscard]] int64_t most_ready() const;

  int64_t page_bytes_;
  at::Device device_;
  bool full_ = false;  ///< The device had no memory left, and nothing has been given back since.
  std::vector<at::Tensor> chunks_;
  std::vector<int64_t> free_;
  std::atomic<uint64_t> taken_ = 0;  ///< Pages.
};

}  // namespace moshi::lm
