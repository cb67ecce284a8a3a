// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Large copies from pageable memory, such as a mapped file, to the device.
#pragma once

#include <array>
#include <cstddef>

namespace moshi::cuda {

/// Sends through two pinned buffers: while the device fetches one, the other is filled, by several threads.
/// Copies are ordered on the default stream, where work that is started later finds them done.
class Upload {
 public:
  /// Of the current device.
  Upload();
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  /// `from` has been read when this returns; `to` is device memory. Throws Error(Failed).
  void copy(void* to, const void* from, size_t bytes);

 private:
  struct Buffer {
    void* memory = nullptr;
    void* sent = nullptr;  ///< Event: the device has fetched what was in it.
  };
  std::array<Buffer, 2> buffers_;
  size_t next_ = 0;
};

}  // namespace moshi::cuda
