// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/upload.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "cuda/graph.h"

namespace moshi::cuda {
namespace {

constexpr size_t kBufferBytes = size_t{32} << 20;
/// One thread copies about as fast as a disk reads; the device takes several times that.
constexpr size_t kMostThreads = 4;
constexpr size_t kLeastSlice = size_t{1} << 20;

void copy_in_parallel(void* to, const void* from, size_t bytes) {
  const size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const size_t threads = std::clamp(bytes / kLeastSlice, size_t{1}, std::min(cores, kMostThreads));
  const size_t slice = (bytes + threads - 1) / threads;
  std::vector<std::jthread> helpers;
  const auto copy = [=](size_t begin) {
    std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin,
                std::min(slice, bytes - begin));
  };
  for (size_t begin = slice; begin < bytes; begin += slice) helpers.emplace_back(copy, begin);
  copy(0);
}

}  // namespace

Upload::Upload() {
  for (Buffer& buffer : buffers_) {
    check(cudaMallocHost(&buffer.memory, kBufferBytes), "taking pinned memory");
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making a CUDA event");
    buffer.sent = event;
  }
}

Upload::~Upload() {
  for (const Buffer& buffer : buffers_) {
    if (buffer.sent != nullptr) {
      cudaEventSynchronize(static_cast<cudaEvent_t>(buffer.sent));
      cudaEventDestroy(static_cast<cudaEvent_t>(buffer.sent));
    }
    cudaFreeHost(buffer.memory);
  }
}

void Upload::copy(void* to, const void* from, size_t bytes) {
  for (size_t done = 0; done < bytes; done += kBufferBytes) {
    const size_t part = std::min(kBufferBytes, bytes - done);
    const Buffer& buffer = buffers_[next_];
    next_ = 1 - next_;
    const auto sent = static_cast<cudaEvent_t>(buffer.sent);
    check(cudaEventSynchronize(sent), "sending to the CUDA device");
    copy_in_parallel(buffer.memory, static_cast<const std::byte*>(from) + done, part);
    check(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, buffer.memory, part, cudaMemcpyHostToDevice,
                          nullptr),
          "sending to the CUDA device");
    check(cudaEventRecord(sent, nullptr), "sending to the CUDA device");
  }
}

}  // namespace moshi::cuda
