// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/cuda_frames.h"

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "mimi/cuda_plan.h"

namespace moshi::mimi {
namespace {

/// Batch sizes that have a graph; smaller batches have columns that are nobody's.
constexpr int kBatches[] = {1, 2, 4, 8, 16, 24, 32, 48, 64};

}  // namespace

struct CudaFrames::Header {
  float* memories[kMostStreams];
  int frames[kMostStreams];
};

CudaFrames::CudaFrames(at::Device device, bool graphs, size_t input_bytes, size_t output_bytes)
    : device_(device), use_graphs_(graphs), input_bytes_(input_bytes) {
  const auto bytes = [](size_t count) { return at::zeros({static_cast<int64_t>(count)}, at::kByte); };
  host_staging_ = bytes(sizeof(Header) + kMostStreams * input_bytes).pin_memory();
  host_output_ = bytes(output_bytes).pin_memory();
  staging_ = host_staging_.to(device);
}

void* CudaFrames::input() const { return static_cast<std::byte*>(staging_.data_ptr()) + sizeof(Header); }

void* CudaFrames::host_input(size_t i) {
  return static_cast<std::byte*>(host_staging_.data_ptr()) + sizeof(Header) + i * input_bytes_;
}

void CudaFrames::grow(int64_t slots, int64_t memory_values) {
  const c10::DeviceGuard guard(device_);
  const int64_t more = slots - static_cast<int64_t>(memories_.size());
  if (more <= 0) return;
  // One allocation; each slot keeps its part of it.
  for (const at::Tensor& memory :
       at::empty({more, memory_values}, at::TensorOptions(at::kFloat).device(device_)).unbind()) {
    memories_.push_back(memory);
    frames_.push_back(0);
  }
  cuda::synchronize();  // What LibTorch still computed where this memory was.
}

void CudaFrames::prepare(Launches launches) {
  const c10::DeviceGuard guard(device_);
  launches_ = std::move(launches);
  graphs_.clear();
  cuda::synchronize();  // What LibTorch computed is there for every stream.
  if (!use_graphs_) return;
  for (const int columns : kBatches) {
    // Launched first, with nobody in it: kernels load their code, which a capture may not do.
    stage({}, columns);
    launch(columns);
    stream_.wait();
    graphs_[columns] = std::make_unique<cuda::Graph>(stream_, [&] { launch(columns); });
  }
}

void CudaFrames::stage(std::span<const int64_t> slots, int columns) {
  auto* header = static_cast<Header*>(host_staging_.data_ptr());
  for (size_t i = 0; i < static_cast<size_t>(columns); ++i) {
    const bool used = i < slots.size();
    const size_t slot = used ? static_cast<size_t>(slots[i]) : 0;
    header->memories[i] = used ? memories_[slot].mutable_data_ptr<float>() : nullptr;
    header->frames[i] = used ? frames_[slot]++ : 0;
  }
}

void CudaFrames::launch(int columns) const {
  const auto* header = static_cast<const Header*>(staging_.const_data_ptr());
  const size_t inputs = static_cast<size_t>(columns) * input_bytes_;
  stream_.copy(staging_.data_ptr(), host_staging_.const_data_ptr(), sizeof(Header) + inputs);
  const Output output = launches_({header->memories, header->frames, columns}, stream_);
  stream_.copy(host_output_.data_ptr(), output.values, output.bytes);
}

void CudaFrames::run(std::span<const int64_t> slots) {
  const c10::DeviceGuard guard(device_);
  const int columns =
      *std::lower_bound(std::begin(kBatches), std::end(kBatches), static_cast<int>(slots.size()));
  stage(slots, columns);
  if (use_graphs_) {
    graphs_.at(columns)->start(stream_);
  } else {
    launch(columns);
  }
  stream_.wait();
}

}  // namespace moshi::mimi
