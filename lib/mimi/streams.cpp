// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/streams.h"

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <vector>

#include "checkpoint/warnings.h"
#include "nn/memory.h"
#ifdef MOSHI_CUDA
#include "mimi/cuda_decoder.h"
#include "mimi/cuda_encoder.h"
#endif

namespace moshi::mimi {
namespace {

/// Rows whose number of codebooks differs cannot share a batch: runs each number by itself.
template <typename Row, typename Run>
void by_codebooks(std::span<const Row> rows, const Run& run) {
  std::vector<Row> left(rows.begin(), rows.end());
  while (!left.empty()) {
    const size_t codebooks = left.front().codes.size();
    const auto others = std::stable_partition(left.begin(), left.end(),
                                              [&](const Row& row) { return row.codes.size() == codebooks; });
    run(std::vector<Row>(left.begin(), others));
    left.erase(left.begin(), others);
  }
}

template <typename Row>
nn::Rows slots_of(const std::vector<Row>& rows, at::Device device) {
  std::vector<int64_t> slots;
  for (const Row& row : rows) slots.push_back(row.slot);
  return {std::move(slots), device};
}

/// One row each of a member span, on `device`.
template <typename V, typename Row>
at::Tensor stacked(const std::vector<Row>& rows, std::span<const V> Row::*member, at::Device device) {
  const auto width = static_cast<int64_t>((rows.front().*member).size());
  at::Tensor host = at::empty({static_cast<int64_t>(rows.size()), width}, c10::CppTypeToScalarType<V>::value);
  V* out = host.mutable_data_ptr<V>();
  for (const Row& row : rows) out = std::copy((row.*member).begin(), (row.*member).end(), out);
  return host.to(device);
}

/// The inverse: row b of a tensor [B, ...] to row b's span.
template <typename V, typename Row>
void unstack(const at::Tensor& tensor, const std::vector<Row>& rows, std::span<V> Row::*member) {
  const at::Tensor host = tensor.cpu().contiguous();
  const V* in = host.const_data_ptr<V>();
  const int64_t width = host.numel() / static_cast<int64_t>(rows.size());
  for (const Row& row : rows) {
    std::copy_n(in, (row.*member).size(), (row.*member).begin());
    in += width;
  }
}

}  // namespace

EagerEncoder::EagerEncoder(const Codec& codec) : codec_(&codec), state_(codec.encoder().make_state(1)) {}

void EagerEncoder::grow(int64_t slots, int) { codec_->encoder().grow(state_, slots); }

void EagerEncoder::encode(std::span<const EncodeRow> rows) {
  by_codebooks(rows, [&](const std::vector<EncodeRow>& alike) {
    const at::Device device = codec_->device();
    const auto codebooks = static_cast<int64_t>(alike.front().codes.size());
    const at::Tensor pcm = stacked(alike, &EncodeRow::pcm, device);
    unstack(codec_->encoder().encode(pcm, codebooks, state_, slots_of(alike, device)), alike,
            &EncodeRow::codes);
  });
}

EagerDecoder::EagerDecoder(const Codec& codec) : codec_(&codec), state_(codec.decoder().make_state(1)) {}

void EagerDecoder::grow(int64_t slots) { codec_->decoder().grow(state_, slots); }

void EagerDecoder::decode(std::span<const DecodeRow> rows) {
  by_codebooks(rows, [&](const std::vector<DecodeRow>& alike) {
    const at::Device device = codec_->device();
    const at::Tensor codes = stacked(alike, &DecodeRow::codes, device).unsqueeze(-1);
    unstack(codec_->decoder().decode(codes, state_, slots_of(alike, device)), alike, &DecodeRow::pcm);
  });
}

Streams make_streams(Codec& codec, [[maybe_unused]] int codebooks, [[maybe_unused]] bool graphs) {
#ifdef MOSHI_CUDA
  if (codec.device().is_cuda()) {
    const std::string obstacle = cuda_obstacle(codec.config());
    if (obstacle.empty()) {
      const c10::DeviceGuard guard(codec.device());
      codec.chunk();
      nn::release_spare_memory(codec.device());
      const auto shared = std::make_shared<const CudaCodebooks>(codec.quantizer());
      const auto memory = std::make_shared<WorkingMemory>(codec.device());
      auto encoder = std::make_unique<CudaEncoder>(codec, shared, memory, codebooks, graphs);
      memory->release_all();
      return {std::move(encoder), std::make_unique<CudaDecoder>(codec, shared, memory, graphs)};
    }
    warn(
        "the codec runs without CUDA kernels and graphs, several times slower: expected sizes they can do, "
        "found " +
        obstacle);
  }
#endif
  return {std::make_unique<EagerEncoder>(codec), std::make_unique<EagerDecoder>(codec)};
}

}  // namespace moshi::mimi
