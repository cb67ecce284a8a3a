// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/page_pool.h"

#include <algorithm>

#include "cuda/attention.h"

namespace moshi::lm {
namespace {

constexpr int64_t kChunkBytes = int64_t{64} << 20;

}  // namespace

PagePool::PagePool(int64_t layers, int64_t heads, int64_t head_dim, const at::TensorOptions& options)
    : options_(options),
      page_bytes_(layers * 2 * heads * cuda::kPagePositions * head_dim *
                  static_cast<int64_t>(options.dtype().itemsize())) {}

int64_t PagePool::take() {
  if (free_.empty()) {
    const int64_t pages = std::max<int64_t>(1, kChunkBytes / page_bytes_);
    chunks_.push_back(at::empty({pages * page_bytes_}, options_.dtype(at::kByte)));
    const auto first = reinterpret_cast<int64_t>(chunks_.back().data_ptr());
    for (int64_t page = pages; page-- > 0;) free_.push_back(first + page * page_bytes_);
  }
  const int64_t page = free_.back();
  free_.pop_back();
  ++taken_;
  return page;
}

void PagePool::fill_with_noise(int64_t page) const {
  // Bytes below 64 leave a number's sign and uppermost exponent bit clear: none is infinite or too large.
  constexpr int64_t kSmall = 64;
  at::from_blob(reinterpret_cast<void*>(page), {page_bytes_}, options_.dtype(at::kByte)).random_(0, kSmall);
}

}  // namespace moshi::lm
