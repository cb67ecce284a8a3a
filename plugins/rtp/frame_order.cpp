// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "frame_order.h"

#include <algorithm>
#include <cmath>

#include "mimi_payload.h"

namespace gstmoshi {
namespace {

// Time that jumps by more (10 s) is another stream's.
constexpr int longest_jump = 125;

}  // namespace

void FrameOrder::expect(unsigned redundant, unsigned fresh) {
  redundancy_ = std::max(redundancy_, redundant);
  frames_per_packet_ = std::max(frames_per_packet_, fresh);
}

unsigned FrameOrder::delay() const {
  const unsigned packets = (redundancy_ + frames_per_packet_ - 1) / frames_per_packet_;
  return packets * frames_per_packet_;
}

FrameOrder::Plan FrameOrder::packet(const Packet& packet) {
  Plan plan;
  expect(packet.redundant, packet.fresh);
  const uint32_t next = end_ + given_up_ * rtp_frame_ticks;
  // Frames between the next one due and the packet's first new one.
  const auto ahead = static_cast<int>(
      std::lround(static_cast<double>(static_cast<int32_t>(packet.timestamp - next)) / rtp_frame_ticks));
  if (!started_ || packet.ssrc != ssrc_ || std::abs(ahead) > longest_jump) {
    plan.discont = true;
  } else if (ahead > 0) {
    const auto missing = static_cast<unsigned>(ahead);
    plan.recovered = std::min(missing, packet.redundant);
    // What more is missing than the packets lost can have held is a pause of the sender.
    const unsigned packets = static_cast<uint16_t>(packet.sequence - sequence_ - 1);
    const unsigned held = packets * frames_per_packet_;
    const unsigned accounted = plan.recovered + given_up_;
    plan.lost = std::min(missing - plan.recovered, held - std::min(held, accounted));
    plan.discont = missing > plan.recovered + plan.lost;
  } else {
    plan.skipped = std::min(packet.fresh, static_cast<unsigned>(-ahead));
    if (plan.skipped == packet.fresh) return plan;
  }
  started_ = true;
  ssrc_ = packet.ssrc;
  sequence_ = packet.sequence;
  end_ = packet.timestamp + packet.fresh * rtp_frame_ticks;
  given_up_ = 0;
  return plan;
}

unsigned FrameOrder::lost(uint16_t sequence, unsigned count) {
  const int packets = static_cast<int16_t>(sequence - sequence_) + static_cast<int>(count) - 1;
  if (!started_ || packets <= 0) return 0;
  const unsigned held = static_cast<unsigned>(packets) * frames_per_packet_;
  // The next packet may bring the last ones of them.
  const unsigned hopeless = std::min<unsigned>(held - std::min(held, redundancy_), longest_jump);
  const unsigned more = hopeless - std::min(hopeless, given_up_);
  given_up_ += more;
  return more;
}

}  // namespace gstmoshi
