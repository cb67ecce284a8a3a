// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

/// Gives live speech its time. A connection delivers it in jumps: buffers follow each other without gaps
/// while they arrive about when they should, and begin anew where they do not.
class ArrivalClock {
 public:
  struct Place {
    int64_t start_ns;
    bool jump;  ///< It does not follow the one before.
  };
  /// Buffers may be as much earlier or later than they should.
  explicit ArrivalClock(int64_t tolerance_ns) : tolerance_ns_(tolerance_ns) {}
  /// The place of a buffer of `duration_ns` that arrived at `now_ns`; none where it is that much too early,
  /// as what has been held up is when it comes all at once.
  std::optional<Place> place(int64_t now_ns, int64_t duration_ns);

 private:
  int64_t tolerance_ns_;
  std::optional<int64_t> next_ns_;
};
