// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <memory>

#include "mimi/cuda_codebooks.h"
#include "mimi/cuda_frames.h"
#include "mimi/cuda_plan.h"
#include "mimi/streams.h"

namespace moshi::mimi {

/// Decodes by CUDA kernels; a stream's PCM does not depend on its company.
class CudaDecoder final : public DecoderStreams {
 public:
  /// As CudaEncoder's.
  CudaDecoder(const Codec& codec, std::shared_ptr<const CudaCodebooks> codebooks,
              std::shared_ptr<WorkingMemory> memory, bool graphs);
  void grow(int64_t slots) override { frames_.grow(slots, plan_.memory_values()); }
  void reset(int64_t slot) override { frames_.reset(slot); }
  void decode(std::span<const DecodeRow> rows) override;
  [[nodiscard]] uint64_t slot_bytes() const override { return plan_.memory_values() * sizeof(float); }

 private:
  /// Adds the kernels from codes to latents at the rate of the transformer.
  Signal add_latents(const Codec& codec);

  std::shared_ptr<const CudaCodebooks> codebooks_;
  CudaPlan plan_;
  CudaFrames frames_;
};

}  // namespace moshi::mimi
