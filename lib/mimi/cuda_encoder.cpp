// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/cuda_encoder.h"

#include <algorithm>
#include <utility>

namespace moshi::mimi {

CudaEncoder::CudaEncoder(const Codec& codec, std::shared_ptr<const CudaCodebooks> codebooks,
                         std::shared_ptr<WorkingMemory> memory, int levels, bool graphs)
    : codebooks_(std::move(codebooks)),
      plan_(codec.device(), std::move(memory)),
      frames_(codec.device(), graphs, sizeof(float) * static_cast<size_t>(codec.config().frame_size()),
              sizeof(cuda::Nearest) * kMostStreams * codebooks_->levels().size()) {
  const Encoder& encoder = codec.encoder();
  const Signal pcm{static_cast<float*>(frames_.input()), nullptr, codec.config().frame_size(), 1};
  Signal latents = plan_.add(encoder.seanet(), pcm);
  plan_.add(encoder.transformer(), latents);
  if (encoder.downsample()) latents = plan_.add(encoder.downsample()->conv(), latents, /*repeat_first=*/true);
  projected_ = plan_.add(plan_.filter(codebooks_->input_projection()), latents);
  for (float*& remainder : remainders_) remainder = plan_.take(codebooks_->width());
  nearest_ = at::zeros({static_cast<int64_t>(codebooks_->levels().size()), kMostStreams},
                       at::TensorOptions(at::kLong).device(codec.device()));
  prepare(levels);
  grow(1, levels);
}

void CudaEncoder::prepare(int levels) {
  levels_ = levels;
  frames_.prepare([this](const cuda::Streams& streams, const cuda::Stream& stream) -> CudaFrames::Output {
    const size_t bytes = sizeof(cuda::Nearest) * kMostStreams * static_cast<size_t>(levels_);
    static_assert(cuda::kNone == ~cuda::Nearest{0});
    stream.fill(nearest_.data_ptr(), 0xFF, bytes);
    plan_.launch(streams, stream);
    quantize(streams.count, stream);
    return {nearest_.const_data_ptr(), bytes};
  });
}

void CudaEncoder::grow(int64_t slots, int codebooks) {
  frames_.grow(slots, plan_.memory_values());
  if (codebooks > levels_) prepare(codebooks);
}

void CudaEncoder::quantize(int columns, const cuda::Stream& stream) const {
  auto* found = static_cast<cuda::Nearest*>(nearest_.data_ptr());
  const int width = codebooks_->width();
  for (int level = 0; level < levels_; ++level, found += kMostStreams) {
    const cuda::Codebook& codebook = codebooks_->levels()[static_cast<size_t>(level)];
    cuda::Remainder x;
    if (level == 0 || level == codebooks_->semantic_levels()) {
      x = {projected_.plain + (level == 0 ? 0 : width), 2 * width};
    } else {
      x = {remainders_[(level + 1) % 2], width, *(&codebook - 1), found - kMostStreams};
    }
    x.kept = remainders_[level % 2];
    cuda::check(cuda::find_nearest(codebook, x, columns, found, stream.can_overlap(), stream.get()),
                "quantizing a frame");
  }
}

void CudaEncoder::encode(std::span<const EncodeRow> rows) {
  while (!rows.empty()) {
    const auto batch = rows.first(std::min<size_t>(rows.size(), kMostStreams));
    std::vector<int64_t> slots;
    for (size_t i = 0; i < batch.size(); ++i) {
      slots.push_back(batch[i].slot);
      std::copy(batch[i].pcm.begin(), batch[i].pcm.end(), static_cast<float*>(frames_.host_input(i)));
    }
    frames_.run(slots);
    const auto* nearest = static_cast<const cuda::Nearest*>(frames_.host_output());
    for (size_t i = 0; i < batch.size(); ++i) {
      for (size_t level = 0; level < batch[i].codes.size(); ++level) {
        batch[i].codes[level] = static_cast<uint32_t>(nearest[level * kMostStreams + i]);
      }
    }
    rows = rows.subspan(batch.size());
  }
}

}  // namespace moshi::mimi
