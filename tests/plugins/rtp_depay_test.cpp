// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <random>
#include <set>

#include "rtp_rig.h"

namespace {

class RtpMimiDepay : public PluginTest {};

constexpr const char* plain_caps =
    "application/x-rtp, media=audio, encoding-name=X-MIMI, clock-rate=24000, payload=96, "
    "codebooks=(string)8, cardinality=(string)2048";

using Lost = std::set<size_t>;

/// What arrives of `count` frames when the packets `lost` (by number) do not.
std::vector<int> received(guint redundancy, guint frames_per_packet, int count, const Lost& lost) {
  Sender sender(redundancy, frames_per_packet);
  sender.frames(count);
  sender.end();
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", sender.caps());
  const Record record(rig.element());
  for (size_t i = 0; i < packets.size(); ++i) {
    if (!lost.contains(i)) {
      EXPECT_EQ(rig.push(std::move(packets[i])), GST_FLOW_OK);
    }
  }
  EXPECT_TRUE(record.continuous());
  return record.frames;
}

TEST_F(RtpMimiDepay, RoundTrip) {
  for (const guint frames_per_packet : {1U, 2U, 3U, 7U, 20U}) {
    for (const guint redundancy : {0U, 1U, 2U, 3U, 15U}) {
      EXPECT_EQ(received(redundancy, frames_per_packet, 50, {}), upto(50))
          << frames_per_packet << " a packet, redundancy " << redundancy;
    }
  }
}

TEST_F(RtpMimiDepay, LossesWithoutRedundancyAreOneGapAFrame) {
  EXPECT_EQ(received(0, 1, 6, {2, 3}), upto(6, {2, 3}));
  EXPECT_EQ(received(0, 3, 12, {1}), upto(12, {3, 4, 5}));
}

TEST_F(RtpMimiDepay, RedundancyBringsLostFrames) {
  EXPECT_EQ(received(1, 1, 8, {2, 4, 6}), upto(8));
  EXPECT_EQ(received(2, 1, 8, {2, 3, 5}), upto(8));
  EXPECT_EQ(received(2, 1, 8, {2, 3, 4}), upto(8, {2}));
  EXPECT_EQ(received(3, 3, 15, {1, 3}), upto(15));
  EXPECT_EQ(received(2, 3, 12, {1}), upto(12, {3}));
}

TEST_F(RtpMimiDepay, EveryFrameThatAPacketBringsArrives) {
  std::mt19937 random(1);
  for (int round = 0; round < 40; ++round) {
    const auto redundancy = static_cast<guint>(round % 4);
    const auto per_packet = static_cast<guint>(1 + round % 3);
    constexpr int count = 300;
    const size_t packets = (count + per_packet - 1) / per_packet;
    Lost lost;
    for (size_t i = 1; i + 6 < packets; ++i) {
      if (random() % 10 < 3) lost.insert(i);
    }
    std::set<int> missing;
    for (int frame = 0; frame < count; ++frame) {
      const size_t first = static_cast<size_t>(frame) / per_packet;
      const size_t last = (static_cast<size_t>(frame) + redundancy) / per_packet;
      bool held = false;
      for (size_t i = first; i <= last && i < packets; ++i) held = held || !lost.contains(i);
      if (!held) missing.insert(frame);
    }
    EXPECT_EQ(received(redundancy, per_packet, count, lost), upto(count, missing)) << "round " << round;
  }
}

TEST_F(RtpMimiDepay, SequenceNumbersAndTimeStampsWrap) {
  // The sender begins 6 packets before one wrap and 3 frames before the other.
  EXPECT_EQ(received(1, 1, 20, {2, 5, 6, 9}), upto(20, {5}));
  Sender sender(1);
  Rig rig("rtpmimidepay", (sender.frame(0), sender.caps()));
  const Record record(rig.element());
  for (auto& packet : sender.packets()) rig.push(std::move(packet));
  for (int i = 1; i < 140'000; ++i) {  // Twice around.
    sender.frame(i);
    auto packets = sender.packets();
    if (i % 3 != 0) rig.push(std::move(packets.at(0)));
    while (GstBuffer* buffer = gst_harness_try_pull(rig.harness())) gst_buffer_unref(buffer);
  }
  EXPECT_TRUE(record.continuous());
  EXPECT_EQ(std::count(record.frames.begin(), record.frames.end(), -1), 0);
}

TEST_F(RtpMimiDepay, ALateOrDoublePacketChangesNothing) {
  Sender sender(1);
  sender.frames(6);
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", sender.caps());
  const Record record(rig.element());
  for (const size_t i : {0, 1, 3, 2, 3, 4, 1, 5}) rig.push(BufferPtr(gst_buffer_copy(packets[i].get())));
  EXPECT_EQ(record.frames, upto(6));
  EXPECT_EQ(rig.stat("frames-recovered"), 1U);
}

TEST_F(RtpMimiDepay, APauseOfTheSenderIsNoLoss) {
  Sender sender(2);
  sender.frames(3);
  sender.frame(20);
  sender.frame(21);
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", sender.caps());
  const Record record(rig.element());
  for (auto& packet : packets) rig.push(std::move(packet));
  EXPECT_EQ(record.frames, (std::vector{0, 1, 2, 20, 21}));
  EXPECT_EQ(record.times[3], 20 * frame_time);
  EXPECT_TRUE(record.discont[3]);
  EXPECT_FALSE(record.discont[4]);
  EXPECT_EQ(rig.stat("frames-lost"), 0U);
}

TEST_F(RtpMimiDepay, ALossBesideAPauseIsOnlyWhatThePacketsHeld) {
  Sender sender(0);
  sender.frames(4);
  sender.frame(20);
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", sender.caps());
  const Record record(rig.element());
  for (const size_t i : {0, 1, 2, 4}) rig.push(std::move(packets[i]));
  EXPECT_EQ(record.frames, (std::vector{0, 1, 2, -1, 20}));
}

TEST_F(RtpMimiDepay, ANewSenderIsANewStream) {
  Sender first(2);
  Sender second(2);
  first.frames(3);
  second.frames(3);
  Rig rig("rtpmimidepay", first.caps());
  const Record record(rig.element());
  for (auto& packet : first.packets()) rig.push(std::move(packet));
  for (auto& packet : second.packets()) rig.push(std::move(packet));
  EXPECT_EQ(record.frames, (std::vector{0, 1, 2, 0, 1, 2}));
}

TEST_F(RtpMimiDepay, AFlushForgets) {
  Sender sender(2);
  sender.frames(10);
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", sender.caps());
  const Record record(rig.element());
  rig.push(std::move(packets[0]));
  rig.seek_flush();
  rig.push(std::move(packets[8]));
  rig.push(std::move(packets[9]));
  EXPECT_EQ(record.frames, (std::vector{0, 8, 9}));
}

TEST_F(RtpMimiDepay, PacketsWithoutTimeAreCounted) {
  Sender sender(1);
  sender.frames(6);
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", sender.caps());
  const Record record(rig.element());
  for (const size_t i : {0, 1, 3, 4, 5}) {
    GST_BUFFER_PTS(packets[i].get()) = GST_CLOCK_TIME_NONE;
    rig.push(std::move(packets[i]));
  }
  EXPECT_EQ(record.frames, upto(6));
  EXPECT_EQ(record.times[0], 0U);
  EXPECT_TRUE(record.continuous());
}

std::vector<uint8_t> bytes_of(const std::vector<int>& head, size_t frames, uint8_t fill = 0) {
  std::vector<uint8_t> bytes(head.begin(), head.end());
  bytes.resize(head.size() + frames * 11, fill);
  return bytes;
}

TEST_F(RtpMimiDepay, MalformedPacketsAreDroppedAndCounted) {
  struct Case {
    std::vector<uint8_t> payload;
    const char* message;
  };
  const std::vector<Case> cases = {
      {{}, "bytes of X-MIMI header: expected 2, found 0"},
      {{0x10}, "bytes of X-MIMI header: expected 2, found 1"},
      {bytes_of({0x00, 1}, 1), "X-MIMI version: expected 1, found 0"},
      {bytes_of({0xf0, 1}, 1), "X-MIMI version: expected 1, found 15"},
      {bytes_of({0x10, 0}, 0), "expected at least 1, found 0"},
      {bytes_of({0x12, 0}, 2), "expected at least 1, found 0"},
      {bytes_of({0x10, 1}, 0), "bytes of the packet: expected 13, found 2"},
      {bytes_of({0x10, 1}, 2), "bytes of the packet: expected 13, found 24"},
      {bytes_of({0x11, 1}, 1), "bytes of the packet: expected 24, found 13"},
      {bytes_of({0x10, 1, 0}, 1), "bytes of the packet: expected 13, found 14"},
      {bytes_of({0x1f, 255}, 3), "bytes of the packet: expected 2972, found 35"},
  };
  for (const Case& bad : cases) {
    Rig rig("rtpmimidepay", plain_caps);
    const Record record(rig.element());
    EXPECT_EQ(rig.push(packet_of(bytes_of({0x10, 1}, 1), 1, 1920, frame_time)), GST_FLOW_OK);
    EXPECT_EQ(rig.push(packet_of(bad.payload, 2, 2 * 1920, 2 * frame_time)), GST_FLOW_OK);
    EXPECT_EQ(rig.push(packet_of(bytes_of({0x10, 1}, 1), 3, 3 * 1920, 3 * frame_time)), GST_FLOW_OK);
    EXPECT_EQ(record.frames, (std::vector{0, -1, 0})) << bad.message;
    EXPECT_EQ(rig.stat("packets-malformed"), 1U);
    const std::string text = error_text(rig.message(GST_MESSAGE_WARNING).get());
    EXPECT_NE(text.find(bad.message), std::string::npos) << text;
  }
}

TEST_F(RtpMimiDepay, CodesOutOfRangeAreMalformed) {
  Rig rig("rtpmimidepay",
          "application/x-rtp, media=audio, encoding-name=X-MIMI, clock-rate=24000, "
          "codebooks=(string)8, cardinality=(string)2000");
  rig.push(packet_of(bytes_of({0x10, 1}, 1, 0xff), 1, 0, 0));
  const std::string text = error_text(rig.message(GST_MESSAGE_WARNING).get());
  EXPECT_NE(text.find("a code below: expected 2000, found 2047"), std::string::npos) << text;
}

TEST_F(RtpMimiDepay, AnythingMayArrive) {
  Rig rig("rtpmimidepay", plain_caps);
  std::mt19937 random(2);
  constexpr int count = 20'000;
  for (int i = 0; i < count; ++i) {
    std::vector<uint8_t> payload(random() % 60);
    for (auto& byte : payload) byte = static_cast<uint8_t>(random());
    if (payload.size() > 1 && i % 2 == 0) {
      payload[0] = static_cast<uint8_t>(0x10 | random() % 3);
      payload[1] = static_cast<uint8_t>(random() % 4);
      payload.resize(2 + ((payload[0] & 15U) + payload[1]) * 11U);
    }
    const auto sequence = static_cast<uint16_t>(random() % 4 == 0 ? random() : static_cast<unsigned>(i));
    const auto timestamp =
        static_cast<uint32_t>(random() % 4 == 0 ? random() : static_cast<unsigned>(i) * 1920);
    ASSERT_EQ(rig.push(packet_of(payload, sequence, timestamp, random() % GST_SECOND)), GST_FLOW_OK);
    while (GstBuffer* buffer = gst_harness_try_pull(rig.harness())) {
      const BufferPtr frame(buffer);
      ASSERT_EQ(gst_buffer_get_size(frame.get()), 16U);
    }
  }
  EXPECT_GT(rig.stat("packets-malformed"), 1000U);
  int warnings = 0;
  while (rig.has_message(GST_MESSAGE_WARNING)) ++warnings;
  EXPECT_LE(warnings, 20) << "one each time the number doubles";
}

TEST_F(RtpMimiDepay, CapsMustFit) {
  const std::string head = "application/x-rtp, media=audio, encoding-name=X-MIMI, clock-rate=24000";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "codebooks: expected 1 to 32 as a string, found none"},
      {", codebooks=(string)0", "codebooks: expected 1 to 32 as a string, found 0"},
      {", codebooks=(string)33", "codebooks: expected 1 to 32 as a string, found 33"},
      {", codebooks=(string)eight", "found eight"},
      {", codebooks=(string)8x", "found 8x"},
      {", codebooks=(string)8, cardinality=(string)1", "cardinality: expected 2 to 65535"},
      {", codebooks=(string)8, cardinality=(string)99999999999", "found 99999999999"},
      {", codebooks=(string)8, redundancy=(string)16", "redundancy: expected 0 to 15"},
      {", codebooks=(string)8, frames-per-packet=(string)0", "frames-per-packet: expected 1 to 255"},
  };
  for (const auto& [caps, message] : cases) {
    Rig rig("rtpmimidepay", head + caps);
    EXPECT_NE(rig.push(packet_of(bytes_of({0x10, 1}, 1), 1, 0, 0)), GST_FLOW_OK) << caps;
    const std::string text = error_text(rig.message(GST_MESSAGE_ERROR).get());
    EXPECT_NE(text.find(message), std::string::npos) << text;
  }
}

TEST_F(RtpMimiDepay, CodesAreAsTheCapsSay) {
  Rig rig("rtpmimidepay", std::string(plain_caps) + ", codec-id=(string)mimi-0000fa4e");
  rig.push(packet_of(bytes_of({0x10, 1}, 1), 1, 0, 0));
  GstPad* pad = gst_element_get_static_pad(rig.element(), "src");
  const CapsPtr caps(gst_pad_get_current_caps(pad));
  gst_object_unref(pad);
  const CapsPtr expected(gst_caps_from_string((code_caps() + ", codec-id=mimi-0000fa4e").c_str()));
  EXPECT_TRUE(gst_caps_is_equal(caps.get(), expected.get()));
}

TEST_F(RtpMimiDepay, WaitsAsLongAsPacketsMayRepeat) {
  for (const auto& [redundancy, per_packet, frames] :
       {std::tuple{0U, 1U, 0U}, {2U, 1U, 2U}, {2U, 3U, 3U}, {4U, 3U, 6U}}) {
    Rig rig("rtpmimidepay", std::string(plain_caps) + ", redundancy=(string)" + std::to_string(redundancy) +
                                ", frames-per-packet=(string)" + std::to_string(per_packet));
    EXPECT_EQ(gst_harness_query_latency(rig.harness()), frames * frame_time);
  }
}

TEST_F(RtpMimiDepay, LearnsTheLatencyThatCapsDoNotSay) {
  Sender sender(3);
  sender.frames(10);
  Rig rig("rtpmimidepay", plain_caps);
  while (rig.has_message(GST_MESSAGE_LATENCY)) {
  }
  for (auto& packet : sender.packets()) rig.push(std::move(packet));
  EXPECT_EQ(gst_harness_query_latency(rig.harness()), 3 * frame_time);
  EXPECT_TRUE(rig.has_message(GST_MESSAGE_LATENCY));
}

TEST_F(RtpMimiDepay, CountsWhatArrives) {
  Sender sender(1);
  sender.frames(10);
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", sender.caps());
  for (const size_t i : {0, 1, 3, 4, 7, 8, 9}) rig.push(std::move(packets[i]));
  EXPECT_EQ(rig.stat("packets"), 7U);
  EXPECT_EQ(rig.stat("frames"), 9U);
  EXPECT_EQ(rig.stat("frames-recovered"), 2U);
  EXPECT_EQ(rig.stat("frames-lost"), 1U);
}

}  // namespace
