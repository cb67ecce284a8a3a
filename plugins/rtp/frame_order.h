// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which frames of a packet are due, which are lost for good, and which a later packet may still bring.
#pragma once

#include <cstdint>

namespace gstmoshi {

class FrameOrder {
 public:
  /// What to push for a packet, in this order.
  struct Plan {
    bool discont = false;    ///< Time jumps here: the stream begins, or the sender paused.
    unsigned lost = 0;       ///< Frames that nothing brings any more.
    unsigned recovered = 0;  ///< The last of the packet's redundant frames.
    unsigned skipped = 0;    ///< New frames that are not due any more; the others follow.
  };

  struct Packet {
    uint32_t ssrc = 0;
    uint16_t sequence = 0;
    uint32_t timestamp = 0;  ///< Of the first new frame.
    unsigned redundant = 0;
    unsigned fresh = 0;
  };

  /// Forgets everything, but not how much a packet holds.
  void reset() { started_ = false; }
  /// What the sender says that a packet holds at most; packets may show more.
  void expect(unsigned redundant, unsigned fresh);
  Plan packet(const Packet& packet);
  /// `count` packets from `sequence` on will not come: returns how many frames, after those given out, no
  /// later packet can bring.
  unsigned lost(uint16_t sequence, unsigned count);

  /// Frames given up since the last packet.
  [[nodiscard]] unsigned given_up() const { return given_up_; }
  [[nodiscard]] unsigned redundancy() const { return redundancy_; }
  [[nodiscard]] unsigned frames_per_packet() const { return frames_per_packet_; }
  /// How long after its own packet a frame may come, in frames.
  [[nodiscard]] unsigned delay() const;

 private:
  unsigned redundancy_ = 0;
  unsigned frames_per_packet_ = 1;
  bool started_ = false;
  uint32_t ssrc_ = 0;
  uint16_t sequence_ = 0;  // Of the last packet.
  uint32_t end_ = 0;       // Time stamp behind its last frame.
  unsigned given_up_ = 0;
};

}  // namespace gstmoshi
