// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Frames of many streams through kernels of one direction of the codec: the memory of each stream, inputs and
// outputs by one copy each, and a CUDA graph of it all for each batch size.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "cuda/codec/convolve.h"
#include "cuda/graph.h"

namespace moshi::mimi {

class CudaFrames {
 public:
  /// What a frame leaves in device memory for the host.
  struct Output {
    const void* values = nullptr;
    size_t bytes = 0;
  };
  /// Puts the kernels of a frame on a stream.
  using Launches = std::function<Output(const cuda::Streams& streams, const cuda::Stream& stream)>;

  /// `input_bytes` of each stream, at most `output_bytes` of all.
  CudaFrames(at::Device device, bool graphs, size_t input_bytes, size_t output_bytes);

  /// The inputs of all streams in device memory.
  [[nodiscard]] void* input() const;
  /// From now on a frame is `launches`; captures it where graphs are used.
  void prepare(Launches launches);

  /// Makes room for `slots` streams of `memory_values` floats.
  void grow(int64_t slots, int64_t memory_values);
  /// Back to the start of a stream.
  void reset(int64_t slot) { frames_[static_cast<size_t>(slot)] = 0; }

  /// Where the host puts the input of the i-th stream of the next frame.
  [[nodiscard]] void* host_input(size_t i);
  /// One frame of the streams in `slots`, at most kMostStreams.
  void run(std::span<const int64_t> slots);
  /// What it left.
  [[nodiscard]] const void* host_output() const { return host_output_.const_data_ptr(); }

 private:
  struct Header;
  void stage(std::span<const int64_t> slots, int columns);
  void launch(int columns) const;

  at::Device device_;
  bool use_graphs_;
  size_t input_bytes_;
  at::Tensor staging_;  ///< Header, then inputs.
  at::Tensor host_staging_;
  at::Tensor host_output_;
  std::vector<at::Tensor> memories_;
  std::vector<int> frames_;
  Launches launches_;
  cuda::Stream stream_;
  std::map<int, std::unique_ptr<cuda::Graph>> graphs_;
};

}  // namespace moshi::mimi
