// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace moshi::runtime {

/// Hands out the lowest free slot numbers, so that sessions in use stay close together.
class SlotPool {
 public:
  int64_t take() {
    const auto free = std::find(taken_.begin(), taken_.end(), false);
    const auto slot = free - taken_.begin();
    if (free == taken_.end()) {
      taken_.push_back(true);
    } else {
      *free = true;
    }
    return slot;
  }
  void give_back(int64_t slot) { taken_[static_cast<size_t>(slot)] = false; }
  /// Slots in use.
  [[nodiscard]] int64_t count() const { return std::count(taken_.begin(), taken_.end(), true); }

 private:
  std::vector<bool> taken_;
};

/// `capacity` grown until it holds `slots`: doubled at first, then by a few, since a slot may take megabytes.
inline int64_t grown_capacity(int64_t capacity, int64_t slots) {
  constexpr int64_t kMostMore = 8;
  while (capacity < slots) {
    capacity += std::min(capacity, kMostMore);
  }
  return capacity;
}

}  // namespace moshi::runtime
