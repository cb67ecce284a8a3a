// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "mimi/cuda_codebooks.h"

#include <cstring>

namespace moshi::mimi {

CudaCodebooks::CudaCodebooks(const Quantizer& quantizer) : semantic_levels_(quantizer.first().levels()) {
  for (const ResidualQuantizer* part : {&quantizer.first(), &quantizer.rest()}) {
    for (int level = 0; level < part->levels(); ++level) {
      const auto& [vectors, squares] = part->chunked(level);
      kept_.insert(kept_.end(), {vectors, squares});
      levels_.push_back({{vectors.const_data_ptr<float>(), nullptr, static_cast<int>(squares.size(0)),
                          static_cast<int>(part->input_projection().outputs())},
                         squares.const_data_ptr<float>()});
    }
  }
  const at::Device device = kept_.front().device();
  const auto bytes = static_cast<int64_t>(levels_.size() * sizeof(cuda::Filter));
  at::Tensor filters = at::empty({bytes}, at::kByte);
  for (size_t i = 0; i < levels_.size(); ++i) {
    std::memcpy(filters.mutable_data_ptr<uint8_t>() + i * sizeof(cuda::Filter), &levels_[i].vectors,
                sizeof(cuda::Filter));
  }
  vectors_ = filters.to(device);
  input_projection_ = at::cat(
      {quantizer.first().input_projection().weights(), quantizer.rest().input_projection().weights()}, 0);
  output_projection_ = at::cat(
      {quantizer.first().output_projection().weights(), quantizer.rest().output_projection().weights()}, 1);
}

const cuda::Filter* CudaCodebooks::vectors() const {
  return static_cast<const cuda::Filter*>(vectors_.const_data_ptr());
}

}  // namespace moshi::mimi
