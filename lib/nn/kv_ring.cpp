// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/kv_ring.h"

#include <tuple>
#include <utility>

namespace moshi::nn {
namespace {

constexpr double kLargest = 127;

/// Integers in [-127, 127] and what they are multiplied with, as the kernels make them
/// (lib/cuda/attention/stored.cuh).
std::pair<at::Tensor, at::Tensor> quantized_vectors(const at::Tensor& x) {
  const at::Tensor values = x.to(at::kFloat);
  const at::Tensor largest = std::get<0>(values.abs().max(-1, /*keepdim=*/true));
  const at::Tensor inverse = at::where(largest > 0, kLargest / largest, 0.0F);
  return {at::round(values * inverse).to(at::kChar), largest / kLargest};
}

}  // namespace

KvRing::KvRing(at::IntArrayRef shape, const at::TensorOptions& options, bool int8)
    : type_(options.dtype().toScalarType()),
      kept_(at::zeros(shape, int8 ? options.dtype(at::kChar) : options)) {
  if (int8) scales_ = at::zeros({shape[0], shape[1], shape[2], 1}, options.dtype(at::kFloat));
}

void KvRing::grow(int64_t slots) {
  kept_ = grow_slots(kept_, slots);
  if (scales_.defined()) scales_ = grow_slots(scales_, slots);
}

void KvRing::lengthen(int64_t positions) {
  const auto longer = [&](const at::Tensor& ring) {
    return grow_slots(ring.transpose(0, 1), positions).transpose(0, 1).contiguous();
  };
  kept_ = longer(kept_);
  if (scales_.defined()) scales_ = longer(scales_);
}

void KvRing::write(int64_t slot, int64_t first, const at::Tensor& x) {
  const auto put = [&](at::Tensor& ring, const at::Tensor& values) {
    ring.select(0, slot).narrow(0, first, x.size(0)).copy_(values);
  };
  if (!scales_.defined()) return put(kept_, x);
  const auto [integers, scales] = quantized_vectors(x);
  put(kept_, integers);
  put(scales_, scales);
}

void KvRing::write(const Rows& rows, const at::Tensor& entries, const at::Tensor& x) {
  const at::Tensor slots = rows.index().unsqueeze(1);
  if (!scales_.defined()) {
    kept_.index_put_({slots, entries}, x);
    return;
  }
  const auto [integers, scales] = quantized_vectors(x);
  kept_.index_put_({slots, entries}, integers);
  scales_.index_put_({slots, entries}, scales);
}

at::Tensor KvRing::read(const Rows& rows, int64_t positions) const {
  at::Tensor kept = rows.gather(kept_.narrow(1, 0, positions));
  if (!scales_.defined()) return kept;
  return (kept * rows.gather(scales_.narrow(1, 0, positions))).to(type_);
}

}  // namespace moshi::nn
