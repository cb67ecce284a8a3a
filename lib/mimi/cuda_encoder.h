// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <memory>

#include "cuda/codec/codebooks.h"
#include "mimi/cuda_codebooks.h"
#include "mimi/cuda_frames.h"
#include "mimi/cuda_plan.h"
#include "mimi/streams.h"

namespace moshi::mimi {

/// Encodes by CUDA kernels; a stream's codes do not depend on its company.
class CudaEncoder final : public EncoderStreams {
 public:
  /// `codec` is stored as chunks (Codec::chunk) and outlives this. `memory`: what kernels work in. `levels`:
  /// codebooks of a frame until grow() asks for more. `graphs`: through CUDA graphs.
  CudaEncoder(const Codec& codec, std::shared_ptr<const CudaCodebooks> codebooks,
              std::shared_ptr<WorkingMemory> memory, int levels, bool graphs);
  void grow(int64_t slots, int codebooks) override;
  void reset(int64_t slot) override { frames_.reset(slot); }
  void encode(std::span<const EncodeRow> rows) override;
  [[nodiscard]] uint64_t slot_bytes() const override { return plan_.memory_values() * sizeof(float); }

 private:
  /// From now on frames have codes of `levels` codebooks.
  void prepare(int levels);
  void quantize(int columns, const cuda::Stream& stream) const;

  std::shared_ptr<const CudaCodebooks> codebooks_;
  CudaPlan plan_;
  CudaFrames frames_;
  int levels_ = 0;
  Signal projected_;      ///< Inputs of both quantizers.
  float* remainders_[2];  ///< What levels leave, in turns.
  at::Tensor nearest_;    ///< cuda::Nearest [levels][kMostStreams].
};

}  // namespace moshi::mimi
