// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace moshi::lm {

/// Token in the ring that nothing has written yet; what outputs hold while delays leave no value.
constexpr int64_t kUngenerated = -2;

/// Streams of one conversation on their way through the delays: which tokens the model reads at its
/// position, and which frame comes out. Rows: text, then the generated audio streams, then the
/// user's. Reference: moshi/models/lm.py, LMGen._step (cache, offsets).
class TokenRing {
 public:
  /// `delays` per row; `generated` audio rows follow the text row; `text_card` and `card` are the
  /// initial tokens.
  TokenRing(std::vector<int> delays, int generated, int64_t text_card, int64_t card);

  /// Starts the step of the next position: takes the user's codes (one per user row) and gives the
  /// model's input, one token per row. The initial token stands at positions up to a row's delay.
  void begin(std::span<const int64_t> user_codes, std::span<int64_t> input);
  /// Ends the step with what the model generated: text, then the audio rows. `output` (same layout)
  /// receives the undelayed frame; false, and kUngenerated everywhere, in the first max-delay calls.
  bool finish(std::span<const int64_t> generated, std::span<int64_t> output);
  /// Back to position 0.
  void reset() { position_ = 0; }

  [[nodiscard]] int64_t position() const { return position_; }
  /// Tokens that begin() gives.
  [[nodiscard]] size_t rows() const { return delays_.size(); }

 private:
  [[nodiscard]] int64_t& at(size_t row, int64_t position);

  std::vector<int> delays_;
  int generated_;
  int64_t text_card_;
  int64_t card_;
  int max_delay_;
  int64_t length_;  ///< Positions the ring holds: max delay + 2.
  int64_t position_ = 0;
  std::vector<int64_t> tokens_;  ///< [rows, length].
};

}  // namespace moshi::lm
