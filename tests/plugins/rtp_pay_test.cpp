// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rtp_rig.h"

namespace {

class RtpMimiPay : public PluginTest {};

// 8 codes of 11 bits.
constexpr size_t packed = 11;
constexpr size_t headers = 14;

TEST_F(RtpMimiPay, PacketsAreAsDocumented) {
  Sender sender(1);
  sender.frame(0);
  sender.rig().push(codes(8, frame_time, 0x555));
  const auto packets = sender.packets();
  ASSERT_EQ(packets.size(), 2U);
  std::vector<uint8_t> bytes(gst_buffer_get_size(packets[1].get()));
  gst_buffer_extract(packets[1].get(), 0, bytes.data(), bytes.size());
  std::vector<uint8_t> expected = {0x11, 1};
  expected.resize(2 + packed);  // Frame 0 again: zeros.
  // 0x555 is 10101010101: eleven bits, eight times.
  for (const int byte : {0xaa, 0xb5, 0x56, 0xaa, 0xd5, 0x5a, 0xab, 0x55, 0x6a, 0xad, 0x55}) {
    expected.push_back(static_cast<uint8_t>(byte));
  }
  EXPECT_EQ(std::vector<uint8_t>(bytes.begin() + 12, bytes.end()), expected);
  EXPECT_EQ(GST_BUFFER_PTS(packets[1].get()), frame_time);
  EXPECT_EQ(info_of(packets[1].get()).timestamp - info_of(packets[0].get()).timestamp, 1920U);
}

TEST_F(RtpMimiPay, CapsAreEnoughForAnSdp) {
  Sender sender(2, 3, 1400, code_caps() + ", codec-id=mimi-0000fa4e");
  sender.frames(3);
  const CapsPtr caps(gst_caps_from_string(sender.caps().c_str()));
  const GstStructure* fields = gst_caps_get_structure(caps.get(), 0);
  const auto text = [fields](const char* name) {
    const char* value = gst_structure_get_string(fields, name);
    return std::string(value == nullptr ? "none" : value);
  };
  EXPECT_EQ(text("media"), "audio");
  EXPECT_EQ(text("encoding-name"), "X-MIMI");
  EXPECT_EQ(text("codebooks"), "8");
  EXPECT_EQ(text("cardinality"), "2048");
  EXPECT_EQ(text("codec-id"), "mimi-0000fa4e");
  EXPECT_EQ(text("redundancy"), "2");
  EXPECT_EQ(text("frames-per-packet"), "3");
  gint rate = 0;
  gst_structure_get_int(fields, "clock-rate", &rate);
  EXPECT_EQ(rate, 24000);
}

TEST_F(RtpMimiPay, SendsTheLastFramesAtTheEnd) {
  Sender sender(0, 4);
  sender.frames(6);
  EXPECT_EQ(sender.packets().size(), 1U);
  sender.end();
  const auto packets = sender.packets();
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(info_of(packets[0].get()).fresh, 2U);
}

TEST_F(RtpMimiPay, MarksTheFirstPacketAndThoseAfterAPause) {
  Sender sender(2);
  sender.frames(3);
  sender.frame(10);
  sender.frame(11);
  sender.rig().push_event(gst_event_new_gap(12 * frame_time, frame_time));
  sender.frame(13);
  BufferPtr jump = codes(8, 14 * frame_time);
  GST_BUFFER_FLAG_SET(jump.get(), GST_BUFFER_FLAG_DISCONT);
  sender.rig().push(std::move(jump));
  std::vector<int> markers;
  std::vector<unsigned> redundant;
  for (const auto& packet : sender.packets()) {
    markers.push_back(info_of(packet.get()).marker ? 1 : 0);
    redundant.push_back(info_of(packet.get()).redundant);
  }
  EXPECT_EQ(markers, (std::vector{1, 0, 0, 1, 0, 1, 1}));
  EXPECT_EQ(redundant, (std::vector{0U, 1U, 2U, 0U, 1U, 0U, 1U}))
      << "frames before a pause are another time's";
}

TEST_F(RtpMimiPay, AnEmptyBufferIsAPause) {
  Sender sender(0, 2);
  sender.frame(0);
  EXPECT_EQ(sender.rig().push(BufferPtr(gst_buffer_new())), GST_FLOW_OK);
  sender.frame(2);
  sender.frame(3);
  const auto packets = sender.packets();
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_EQ(info_of(packets[0].get()).fresh, 1U);
  EXPECT_TRUE(info_of(packets[1].get()).marker);
}

TEST_F(RtpMimiPay, KeepsToTheMtu) {
  for (const guint mtu : {headers + 2 * packed - 1, headers + 2 * packed, headers + 5 * packed - 1, 1400UL}) {
    Sender sender(3, 4, mtu);
    sender.frames(40);
    sender.end();
    unsigned frames = 0;
    for (const auto& packet : sender.packets()) {
      EXPECT_LE(info_of(packet.get()).size, mtu);
      frames += info_of(packet.get()).fresh;
    }
    EXPECT_EQ(frames, 40U) << mtu;
  }
}

TEST_F(RtpMimiPay, TooSmallAnMtuIsAnError) {
  Sender sender(0, 1, 41, code_caps(20));
  EXPECT_NE(sender.rig().push(codes(20, 0)), GST_FLOW_OK);
  const std::string text = error_text(sender.rig().message(GST_MESSAGE_ERROR).get());
  EXPECT_NE(text.find("expected room for a frame (42 bytes with headers), found 41"), std::string::npos)
      << text;
}

TEST_F(RtpMimiPay, DamagedCodesAreAnError) {
  Sender sender;
  EXPECT_EQ(sender.rig().push(codes(8, 0, 2048)), GST_FLOW_ERROR);
  const std::string text = error_text(sender.rig().message(GST_MESSAGE_ERROR).get());
  EXPECT_NE(text.find("cardinality 2048, found 2048"), std::string::npos) << text;
}

TEST_F(RtpMimiPay, CountsTimeWhereCodesHaveNone) {
  Sender sender(0);
  for (int i = 0; i < 3; ++i) sender.rig().push(codes(8, GST_CLOCK_TIME_NONE));
  const auto packets = sender.packets();
  ASSERT_EQ(packets.size(), 3U);
  EXPECT_EQ(info_of(packets[2].get()).timestamp - info_of(packets[0].get()).timestamp, 2 * 1920U);
}

TEST_F(RtpMimiPay, FirstFrameOfAPacketWaitsForTheLast) {
  Sender sender(2, 3);
  EXPECT_EQ(gst_harness_query_latency(sender.rig().harness()), 2 * frame_time);
}

TEST_F(RtpMimiPay, TakesTheCodesThatTheReceiverWants) {
  Rig rig("rtpmimipay");
  gst_harness_set_sink_caps_str(rig.harness(),
                                "application/x-rtp, media=audio, encoding-name=X-MIMI, clock-rate=24000, "
                                "codebooks=(string)5, codec-id=(string)mimi-0000fa4e");
  GstPad* pad = gst_element_get_static_pad(rig.element(), "sink");
  const CapsPtr caps(gst_pad_query_caps(pad, nullptr));
  gst_object_unref(pad);
  const CapsPtr five(gst_caps_from_string(code_caps(5).c_str()));
  const CapsPtr eight(gst_caps_from_string(code_caps(8).c_str()));
  const CapsPtr other(gst_caps_from_string((code_caps(5) + ", codec-id=mimi-11111111").c_str()));
  EXPECT_TRUE(gst_caps_can_intersect(caps.get(), five.get()));
  EXPECT_FALSE(gst_caps_can_intersect(caps.get(), eight.get()));
  EXPECT_FALSE(gst_caps_can_intersect(caps.get(), other.get()));
}

TEST_F(RtpMimiPay, CountsWhatItSends) {
  Sender sender(2);
  sender.frames(10);
  EXPECT_EQ(sender.rig().stat("frames"), 10U);
  EXPECT_EQ(sender.rig().stat("packets"), 10U);
  EXPECT_EQ(sender.rig().stat("frames-repeated"), 17U);
}

}  // namespace
