// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A stream of one device, and kernels captured on it to be started again together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace moshi::cuda {

/// Throws Error(Failed) with CUDA's words for a status that is not 0; `what` was being done.
void check(int status, const char* what);

/// Waits for everything that was started on the current device, on any stream.
void synchronize();

/// How many graphs this process has made.
uint64_t captures();

/// A stream of its own, which does not wait for others.
class Stream {
 public:
  /// Of the current device.
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  [[nodiscard]] void* get() const { return stream_; }
  /// Copies between host memory (pinned, to stay asynchronous) and the device.
  void copy(void* to, const void* from, size_t bytes) const;
  /// Sets every byte of device memory.
  void fill(void* to, int byte, size_t bytes) const;
  /// Waits for everything that was started.
  void wait() const;
  /// Kernels of this device may start before the one before them ends (compute capability 9.0).
  [[nodiscard]] bool can_overlap() const { return can_overlap_; }

 private:
  void* stream_ = nullptr;
  bool can_overlap_ = false;
};

/// What `launches` puts on a stream, ready to be started any number of times.
class Graph {
 public:
  Graph(const Stream& stream, const std::function<void()>& launches);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void start(const Stream& stream) const;

 private:
  void* executable_ = nullptr;
};

}  // namespace moshi::cuda
