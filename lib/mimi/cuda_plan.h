// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One direction of the codec as CUDA kernels, one after the other, and the memory they work in.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/config.h"
#include "cuda/codec/convolve.h"
#include "cuda/graph.h"
#include "mimi/seanet.h"
#include "nn/conv.h"
#include "nn/transformer.h"

namespace moshi::mimi {

/// Most streams of one launch.
constexpr int kMostStreams = 64;

/// Why kernels cannot run a codec of this kind; empty where they can.
std::string cuda_obstacle(const checkpoint::MimiConfig& config);

/// What lies between two layers: [streams][steps][channels], as it is and after the ELU; null: not wanted.
struct Signal {
  float* plain = nullptr;
  float* active = nullptr;
  int steps = 0;
  int channels = 0;
};

/// Device memory that kernels work in, enough for all streams of a launch.
class WorkingMemory {
 public:
  explicit WorkingMemory(at::Device device) : device_(device) {}
  /// Room for `values` floats of each stream, until it is released.
  float* take(int64_t values);
  /// Does nothing for what was not taken.
  void release(float* buffer);
  /// Everything may be taken again: by a plan that never runs at the same time as those before.
  void release_all();

 private:
  at::Device device_;
  std::map<float*, at::Tensor> taken_;
  std::vector<at::Tensor> free_;
};

class CudaPlan {
 public:
  /// Puts itself on a stream (a cudaStream_t); the rest is as cuda::convolve()'s.
  using Kernel = std::function<int(const cuda::Streams& streams, bool overlap, void* stream)>;

  /// Its kernels work in `memory`.
  CudaPlan(at::Device device, std::shared_ptr<WorkingMemory> memory)
      : device_(device), working_(std::move(memory)) {}

  /// Adds SEANet and gives its result. `weights` outlive the plan, here and below, and are stored as chunks.
  Signal add(const Seanet& seanet, Signal input);
  /// Adds a transformer, which works on x.plain in place.
  void add(const nn::Transformer& transformer, const Signal& x);
  /// Adds a convolution of x.plain; see cuda::Windows for `repeat_first`.
  Signal add(const nn::Conv& conv, const Signal& x, bool repeat_first);
  /// Adds a product with `filter`.
  Signal add(const cuda::Filter& filter, const Signal& x);
  void add(Kernel kernel) { kernels_.push_back(std::move(kernel)); }

  /// Room for `values` of each stream, until it is released: kernels that are added later may then use it.
  float* take(int64_t values) { return working_->take(values); }
  void release(float* buffer) { working_->release(buffer); }
  /// A place for `values` floats in each stream's memory: its offset.
  int64_t remember(int64_t values);
  /// The parameter on the device as f32, kept as long as the plan; null where it is undefined.
  const float* parameter(const at::Tensor& values);
  /// The matrix [rows, depth] as a filter without a bias, kept likewise.
  cuda::Filter filter(const at::Tensor& matrix);

  /// Values of one stream's memory.
  [[nodiscard]] int64_t memory_values() const { return memory_values_; }
  [[nodiscard]] at::Device device() const { return device_; }
  void launch(const cuda::Streams& streams, const cuda::Stream& stream) const;

 private:
  /// What a convolution gives besides its plain result.
  struct Wanted {
    bool plain = true;
    bool active = false;
    double alpha = 1;           ///< Of the ELU.
    float* residual = nullptr;  ///< Added.
  };
  Signal convolve(const nn::Conv& conv, const Signal& x, const Wanted& wanted, bool repeat_first = false);
  void convolve(const cuda::Filter& filter, const cuda::Windows& windows, const cuda::Results& results,
                const cuda::ColumnNorm& norm = {});
  cuda::ColumnNorm norm(const nn::NormLayer& layer, float* normed);

  at::Device device_;
  std::vector<Kernel> kernels_;
  std::vector<at::Tensor> parameters_;
  std::shared_ptr<WorkingMemory> working_;
  int64_t memory_values_ = 0;
};

}  // namespace moshi::mimi
