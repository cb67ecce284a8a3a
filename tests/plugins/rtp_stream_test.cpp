// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// rtpmimidepay between its neighbours: rtpjitterbuffer, mimidec, an SDP.
#include <gst/sdp/gstsdpmessage.h>

#include <set>

#include "rtp_rig.h"

namespace {

class RtpStream : public PluginTest {};

/// A chain of elements with a bus, on a clock that stands still.
class Chain {
 public:
  Chain(const char* description, const std::string& caps)
      : bus_(gst_bus_new()), harness_(gst_harness_new_parse(description)) {
    gst_element_set_bus(harness_->element, bus_.get());
    gst_harness_use_testclock(harness_);
    gst_harness_set_src_caps_str(harness_, caps.c_str());
  }
  ~Chain() {
    gst_element_set_bus(harness_->element, nullptr);
    gst_harness_teardown(harness_);
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  /// Lets the clock go on, and wakes who waits for it.
  void advance(GstClockTime time) {
    gst_harness_set_time(harness_, time);
    GstTestClock* clock = gst_harness_get_testclock(harness_);
    GstClockID id = nullptr;
    while (gst_test_clock_peek_next_pending_id(clock, &id)) {
      const bool due = gst_clock_id_get_time(id) <= time;
      gst_clock_id_unref(id);
      if (!due) break;
      gst_clock_id_unref(gst_test_clock_process_next_clock_id(clock));
    }
    gst_object_unref(clock);
  }
  GstFlowReturn push(GstBuffer* packet, GstClockTime arrival) {
    advance(arrival);
    GST_BUFFER_PTS(packet) = GST_BUFFER_DTS(packet) = arrival;
    return gst_harness_push(harness_, packet);
  }
  [[nodiscard]] GstHarness* harness() const { return harness_; }
  [[nodiscard]] GstElement* element() const { return harness_->element; }
  MessagePtr message(GstMessageType type) {
    return MessagePtr(gst_bus_timed_pop_filtered(bus_.get(), 20 * GST_SECOND, type));
  }

 private:
  BusPtr bus_;
  GstHarness* harness_;
};

/// Frames in the order they come out behind a jitter buffer. A packet arrives when its last frame is
/// complete.
std::vector<int> through_jitterbuffer(guint redundancy, guint per_packet, int count,
                                      const std::set<size_t>& lost, const std::set<size_t>& swapped = {}) {
  constexpr GstClockTime latency = 200 * GST_MSECOND;
  Sender sender(redundancy, per_packet);
  sender.frames(count);
  auto packets = sender.packets();
  Chain chain("rtpjitterbuffer do-lost=true latency=200 ! rtpmimidepay", sender.caps());
  const Record record(chain.element());
  const GstClockTime spacing = per_packet * frame_time;
  const auto arrival = [spacing](size_t i) { return (i + 1) * spacing; };
  for (size_t i = 0; i < packets.size(); ++i) {
    if (swapped.contains(i)) {  // After the next one.
      chain.push(packets[i + 1].release(), arrival(i + 1));
      chain.push(packets[i].release(), arrival(i + 1) + 10 * GST_MSECOND);
      ++i;
    } else if (!lost.contains(i)) {
      chain.push(packets[i].release(), arrival(i));
    }
  }
  // The jitter buffer waits for a lost packet on the clock.
  for (int tries = 0; tries < 500 && (record.frames.empty() || record.frames.back() != count - 1); ++tries) {
    chain.advance(arrival(packets.size()) + latency);
    g_usleep(10'000);
  }
  EXPECT_TRUE(record.continuous());
  return record.frames;
}

TEST_F(RtpStream, JitterBufferPutsPacketsInOrder) {
  EXPECT_EQ(through_jitterbuffer(0, 1, 12, {}, {3, 6}), upto(12));
  EXPECT_EQ(through_jitterbuffer(2, 1, 12, {}, {3, 6}), upto(12));
}

TEST_F(RtpStream, LostPacketsOfTheJitterBufferAreOneGapAFrame) {
  EXPECT_EQ(through_jitterbuffer(0, 1, 12, {3, 4, 8}), upto(12, {3, 4, 8}));
  EXPECT_EQ(through_jitterbuffer(0, 3, 24, {2, 5}), upto(24, {6, 7, 8, 15, 16, 17}));
}

TEST_F(RtpStream, LostPacketsAreRecoveredBehindTheJitterBuffer) {
  EXPECT_EQ(through_jitterbuffer(1, 1, 12, {3, 6}), upto(12));
  EXPECT_EQ(through_jitterbuffer(2, 1, 12, {3, 4, 7}), upto(12));
  EXPECT_EQ(through_jitterbuffer(2, 1, 14, {3, 4, 5, 9}), upto(14, {3}));
  EXPECT_EQ(through_jitterbuffer(2, 1, 20, {3, 4, 5, 6, 7, 8, 12}), upto(20, {3, 4, 5, 6}));
  EXPECT_EQ(through_jitterbuffer(3, 3, 24, {2, 4}), upto(24));
}

TEST_F(RtpStream, AFrameIsGivenUpAsSoonAsNothingCanBringIt) {
  Sender sender(2);
  sender.frames(2);
  auto packets = sender.packets();
  Chain chain("rtpmimidepay", sender.caps());
  const Record record(chain.element());
  for (auto& packet : packets) chain.push(packet.release(), 0);
  const auto lose = [&chain, sequence = 65530U + 2U](unsigned number) {
    gst_harness_push_event(
        chain.harness(),
        gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                             gst_structure_new("GstRTPPacketLost", "seqnum", G_TYPE_UINT, sequence + number,
                                               "timestamp", G_TYPE_UINT64, number * frame_time, "duration",
                                               G_TYPE_UINT64, frame_time, nullptr)));
  };
  lose(0);
  lose(1);
  EXPECT_EQ(record.frames.size(), 2U) << "the next packet may bring both";
  lose(2);
  EXPECT_EQ(record.frames, (std::vector{0, 1, -1})) << "it cannot bring three";
}

TEST_F(RtpStream, CodesOfOtherWeightsAreRefusedDownstream) {
  for (const bool same : {true, false}) {
    Sender sender(0, 1, 1400, code_caps() + (same ? ", codec-id=mimi-0000fa4e" : ", codec-id=mimi-11111111"));
    sender.frames(1);
    Chain chain("rtpmimidepay ! mimidec", sender.caps());
    const GstFlowReturn flow = chain.push(sender.packets().at(0).release(), 0);
    EXPECT_EQ(flow == GST_FLOW_OK, same);
    if (same) continue;
    const std::string text = error_text(chain.message(GST_MESSAGE_ERROR).get());
    EXPECT_NE(text.find("expected codec-id mimi-0000fa4e, found mimi-11111111"), std::string::npos) << text;
  }
}

TEST_F(RtpStream, LostFramesAreConcealedByTheDecoder) {
  Sender sender(1);
  sender.frames(8);
  auto packets = sender.packets();
  Chain chain("rtpmimidepay ! mimidec", sender.caps());
  for (const size_t i : {0, 1, 3, 6, 7}) chain.push(packets[i].release(), i * frame_time);
  size_t samples = 0;
  while (GstBuffer* buffer = gst_harness_try_pull(chain.harness())) {
    samples += samples_of(BufferPtr(buffer).get()).size();
  }
  EXPECT_EQ(samples, 8 * 1920U);
}

TEST_F(RtpStream, AnSdpIsEnough) {
  const std::string text =
      "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=Mimi\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
      "m=audio 5004 RTP/AVP 96\r\na=rtpmap:96 X-MIMI/24000/1\r\n"
      "a=fmtp:96 codebooks=8;cardinality=2048;redundancy=2;codec-id=mimi-0000fa4e\r\n";
  GstSDPMessage* sdp = nullptr;
  gst_sdp_message_new(&sdp);
  ASSERT_EQ(gst_sdp_message_parse_buffer(reinterpret_cast<const guint8*>(text.data()),
                                         static_cast<guint>(text.size()), sdp),
            GST_SDP_OK);
  const CapsPtr caps(gst_sdp_media_get_caps_from_media(gst_sdp_message_get_media(sdp, 0), 96));
  gst_structure_set_name(gst_caps_get_structure(caps.get(), 0), "application/x-rtp");
  gchar* caps_text = gst_caps_to_string(caps.get());
  gst_sdp_message_free(sdp);

  Sender sender(2, 1, 1400, code_caps() + ", codec-id=mimi-0000fa4e");
  sender.frames(10);
  auto packets = sender.packets();
  Rig rig("rtpmimidepay", caps_text);
  g_free(caps_text);
  const Record record(rig.element());
  for (const size_t i : {0, 1, 4, 5, 6, 7, 8, 9}) rig.push(std::move(packets[i]));
  EXPECT_EQ(record.frames, upto(10));
}

}  // namespace
