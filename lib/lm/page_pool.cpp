// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/page_pool.h"

#include <c10/util/Exception.h>

namespace moshi::lm {
namespace {

/// A chunk has at least this many bytes, or kChunkPages pages where these are less.
constexpr int64_t kChunkBytes = int64_t{32} << 20;
constexpr int64_t kChunkPages = 64;
/// A CUDA device's memory comes in multiples of this.
constexpr int64_t kGranularity = int64_t{2} << 20;
/// Free pages that are made ready ahead of need.
constexpr int64_t kReadyBytes = int64_t{128} << 20;

/// Pages of a chunk: as few as lose little of the memory that it takes.
int64_t pages_of_chunk(int64_t page_bytes) {
  int64_t pages = std::clamp<int64_t>(kChunkBytes / page_bytes, 1, kChunkPages);
  const auto loses_much = [&] {
    const int64_t bytes = pages * page_bytes;
    const int64_t lost = (kGranularity - bytes % kGranularity) % kGranularity;
    return lost > bytes / 256;
  };
  while (pages < kChunkPages && loses_much()) ++pages;
  return pages;
}

}  // namespace

void PagePool::allocate(int64_t pages) {
  const at::Tensor chunk = at::empty({pages * page_bytes_}, at::TensorOptions(at::kByte).device(device_));
  const auto first = reinterpret_cast<int64_t>(chunk.data_ptr());
  for (int64_t page = pages; page-- > 0;) free_.push_back(first + page * page_bytes_);
  chunks_.push_back(chunk);
}

void PagePool::reserve(int64_t pages) {
  const int64_t missing = pages - static_cast<int64_t>(free_.size());
  if (missing <= 0 || full_) return;
  const int64_t chunk = pages_of_chunk(page_bytes_);
  try {
    allocate((missing + chunk - 1) / chunk * chunk);
  } catch (const c10::OutOfMemoryError&) {
    full_ = true;  // Nobody needs the pages yet.
  }
}

int64_t PagePool::most_ready() const { return std::max<int64_t>(1, kReadyBytes / page_bytes_); }

int64_t PagePool::take() {
  reserve(1);
  if (free_.empty()) allocate(1);
  const int64_t page = free_.back();
  free_.pop_back();
  ++taken_;
  return page;
}

void PagePool::fill_with_noise(int64_t page) const {
  // Bytes below 64 leave a number's sign and uppermost exponent bit clear: none is infinite or too large.
  constexpr int64_t kSmall = 64;
  for (const at::Tensor& chunk : chunks_) {
    const int64_t place = page - reinterpret_cast<int64_t>(chunk.const_data_ptr());
    if (place < 0 || place >= chunk.numel()) continue;
    chunk.narrow(0, place, page_bytes_).random_(0, kSmall);
  }
}

void PagePool::give_back(int64_t page) {
  free_.push_back(page);
  --taken_;
  full_ = false;
}

}  // namespace moshi::lm
