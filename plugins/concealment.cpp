// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "concealment.h"

#include <algorithm>

namespace gstmoshi {

void Concealment::reset(size_t frame_size, size_t join_size) {
  frame_size_ = frame_size;
  join_size_ = join_size;
  faded_ = 0;
  frame_.clear();
  used_ = 0;
}

float Concealment::gain() const {
  return 1.0F - static_cast<float>(faded_) / static_cast<float>(fade_size());
}

void Concealment::fill(std::span<float> pcm, const Repeat& repeat) {
  if (!repeat) faded_ = fade_size();
  for (float& sample : pcm) {
    if (faded_ == fade_size()) {
      sample = 0;
      continue;
    }
    if (used_ == frame_.size()) {
      frame_.resize(frame_size_);
      repeat(frame_);
      used_ = 0;
    }
    sample = frame_[used_++] * gain();
    ++faded_;
  }
}

void Concealment::silence(std::span<float> pcm) {
  cross(pcm, true);
  faded_ = fade_size();
}

void Concealment::join(std::span<float> pcm) {
  if (faded_ > 0) cross(pcm, false);
  faded_ = 0;
}

// From what was heard, as loud as it was, to `pcm` or to silence. The codec goes on where the repeated frame
// ends: where that was heard to its end, `pcm` itself continues it.
void Concealment::cross(std::span<float> pcm, bool to_silence) {
  const std::span<const float> rest = std::span<const float>(frame_).subspan(used_);
  const size_t size = std::min({join_size_, pcm.size(), rest.empty() ? join_size_ : rest.size()});
  const float before = gain();
  for (size_t i = 0; i < size; ++i) {
    const float rise = static_cast<float>(i) / static_cast<float>(size);
    const float old = (rest.empty() ? pcm[i] : rest[i]) * before;
    pcm[i] = old * (1.0F - rise) + (to_silence ? 0.0F : pcm[i] * rise);
  }
  if (to_silence) std::fill(pcm.begin() + static_cast<ptrdiff_t>(size), pcm.end(), 0.0F);
  frame_.clear();
  used_ = 0;
}

}  // namespace gstmoshi
