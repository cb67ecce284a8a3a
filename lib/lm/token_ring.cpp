// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/token_ring.h"

#include <algorithm>
#include <utility>

namespace moshi::lm {

TokenRing::TokenRing(std::vector<int> delays, int generated, int64_t text_card, int64_t card)
    : delays_(std::move(delays)),
      generated_(generated),
      text_card_(text_card),
      card_(card),
      max_delay_(*std::max_element(delays_.begin(), delays_.end())),
      length_(max_delay_ + 2),
      tokens_(delays_.size() * static_cast<size_t>(length_), kUngenerated) {}

int64_t& TokenRing::at(size_t row, int64_t position) {
  return tokens_[row * static_cast<size_t>(length_) + static_cast<size_t>(position % length_)];
}

void TokenRing::begin(std::span<const int64_t> user_codes, std::span<int64_t> input) {
  const auto first_user = static_cast<size_t>(generated_) + 1;
  for (size_t row = first_user; row < delays_.size(); ++row) {
    at(row, position_ + delays_[row]) = user_codes[row - first_user];
  }
  for (size_t row = 0; row < delays_.size(); ++row) {
    const int64_t initial = row == 0 ? text_card_ : card_;
    input[row] = position_ <= delays_[row] ? initial : at(row, position_);
  }
}

bool TokenRing::finish(std::span<const int64_t> generated, std::span<int64_t> output) {
  ++position_;
  const auto rows = static_cast<size_t>(generated_) + 1;
  for (size_t row = 0; row < rows; ++row) {
    at(row, position_) = generated[row];
  }
  const bool ready = position_ > max_delay_;
  for (size_t row = 0; row < rows; ++row) {
    output[row] = ready ? at(row, position_ - max_delay_ + delays_[row]) : kUngenerated;
  }
  return ready;
}

}  // namespace moshi::lm
