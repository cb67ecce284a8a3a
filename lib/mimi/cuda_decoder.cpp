// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/cuda_decoder.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace moshi::mimi {

CudaDecoder::CudaDecoder(const Codec& codec, std::shared_ptr<const CudaCodebooks> codebooks,
                         std::shared_ptr<WorkingMemory> memory, bool graphs)
    : codebooks_(std::move(codebooks)),
      plan_(codec.device(), std::move(memory)),
      frames_(codec.device(), graphs, sizeof(int) * codebooks_->levels().size(),
              sizeof(float) * kMostStreams * static_cast<size_t>(codec.config().frame_size())) {
  const Signal latents = add_latents(codec);
  plan_.add(codec.decoder().transformer(), latents);
  const Signal pcm = plan_.add(codec.decoder().seanet(), latents);
  const size_t frame = sizeof(float) * static_cast<size_t>(pcm.steps);
  frames_.prepare([=, this](const cuda::Streams& streams, const cuda::Stream& stream) -> CudaFrames::Output {
    plan_.launch(streams, stream);
    return {pcm.plain, static_cast<size_t>(streams.count) * frame};
  });
  grow(1);
}

Signal CudaDecoder::add_latents(const Codec& codec) {
  const int width = codebooks_->width();
  const Signal sums{plan_.take(int64_t{2} * width), nullptr, 1, 2 * width};
  const auto levels = static_cast<int>(codebooks_->levels().size());
  const int semantic = codebooks_->semantic_levels();
  const auto* vectors = codebooks_->vectors();
  const auto* codes = static_cast<const int*>(frames_.input());
  plan_.add([=](const cuda::Streams& streams, bool overlap, void* stream) {
    return cuda::sum_vectors(vectors, levels, semantic, width, codes, streams.count, sums.plain, overlap,
                             stream);
  });
  const Signal frame = plan_.add(plan_.filter(codebooks_->output_projection()), sums);
  if (!codec.decoder().upsample()) return frame;
  const at::Tensor both_taps = codec.decoder().upsample()->taps();
  const float* taps = plan_.parameter(both_taps);
  const auto stride = static_cast<int>(both_taps.size(1));
  const int channels = frame.channels;
  const Signal latents{plan_.take(static_cast<int64_t>(stride) * channels), nullptr, stride, channels};
  const int64_t past = plan_.remember(int64_t{2} * channels);
  plan_.add([=](const cuda::Streams& streams, bool overlap, void* stream) {
    return cuda::upsample(frame.plain, taps, stride, channels, past, streams, latents.plain, overlap, stream);
  });
  return latents;
}

void CudaDecoder::decode(std::span<const DecodeRow> rows) {
  while (!rows.empty()) {
    const auto batch = rows.first(std::min<size_t>(rows.size(), kMostStreams));
    std::vector<int64_t> slots;
    for (size_t i = 0; i < batch.size(); ++i) {
      slots.push_back(batch[i].slot);
      auto* codes = static_cast<int*>(frames_.host_input(i));
      std::fill_n(codes, codebooks_->levels().size(), -1);
      std::transform(batch[i].codes.begin(), batch[i].codes.end(), codes,
                     [](int64_t code) { return static_cast<int>(code); });
    }
    frames_.run(slots);
    const auto* pcm = static_cast<const float*>(frames_.host_output());
    for (const DecodeRow& row : batch) {
      std::copy_n(pcm, row.pcm.size(), row.pcm.begin());
      pcm += row.pcm.size();
    }
    rows = rows.subspan(batch.size());
  }
}

}  // namespace moshi::mimi
