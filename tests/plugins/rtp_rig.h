// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Packets made by rtpmimipay, and what rtpmimidepay makes of them.
#pragma once

#include <gst/rtp/rtp.h>

#include <set>

#include "rig.h"

/// An rtpmimipay of frames whose codes are all the frame's number.
class Sender {
 public:
  explicit Sender(guint redundancy = 0, guint frames_per_packet = 1, guint mtu = 1400,
                  const std::string& caps = code_caps());

  /// Sends frame `number`; its time is its number's unless another is given.
  void frame(int number, GstClockTime pts = GST_CLOCK_TIME_NONE);
  void frames(int count);
  void end() { rig_.push_event(gst_event_new_eos()); }
  /// What has been sent since the last call.
  std::vector<BufferPtr> packets();
  /// Of the packets.
  std::string caps();
  Rig& rig() { return rig_; }

 private:
  Rig rig_;
};

/// Everything an element pushes, in order: a frame is its first code, a gap -1.
class Record {
 public:
  explicit Record(GstElement* element);

  std::vector<int> frames;
  std::vector<GstClockTime> times;
  std::vector<bool> discont;

  /// Whether each begins 80 ms after the one before.
  [[nodiscard]] bool continuous() const;
};

/// What a Record has of `count` frames, gaps for the missing ones.
std::vector<int> upto(int count, const std::set<int>& missing = {});

/// The packet's fields.
struct PacketInfo {
  bool marker = false;
  uint32_t timestamp = 0;
  uint16_t sequence = 0;
  unsigned redundant = 0;
  unsigned fresh = 0;
  size_t size = 0;  ///< With the RTP header.
};
PacketInfo info_of(GstBuffer* packet);

/// A packet with this payload.
BufferPtr packet_of(const std::vector<uint8_t>& payload, uint16_t sequence, uint32_t timestamp,
                    GstClockTime pts);
