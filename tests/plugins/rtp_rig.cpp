// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rtp_rig.h"

Sender::Sender(guint redundancy, guint frames_per_packet, guint mtu, const std::string& caps)
    : rig_("rtpmimipay", caps, [&](GstElement* element) {
        g_object_set(element, "redundancy", redundancy, "frames-per-packet", frames_per_packet, "mtu", mtu,
                     "seqnum-offset", 65530, "timestamp-offset", G_MAXUINT32 - 5000, nullptr);
      }) {}

void Sender::frame(int number, GstClockTime pts) {
  const GstClockTime time =
      GST_CLOCK_TIME_IS_VALID(pts) ? pts : static_cast<GstClockTime>(number) * frame_time;
  ASSERT_EQ(rig_.push(codes(8, time, static_cast<uint16_t>(number % 2048))), GST_FLOW_OK);
}

void Sender::frames(int count) {
  for (int i = 0; i < count; ++i) frame(i);
}

std::vector<BufferPtr> Sender::packets() {
  std::vector<BufferPtr> all;
  while (GstBuffer* packet = gst_harness_try_pull(rig_.harness())) all.emplace_back(packet);
  return all;
}

std::string Sender::caps() {
  GstPad* pad = gst_element_get_static_pad(rig_.element(), "src");
  const CapsPtr caps(gst_pad_get_current_caps(pad));
  gst_object_unref(pad);
  gchar* text = gst_caps_to_string(caps.get());
  std::string result = text;
  g_free(text);
  return result;
}

Record::Record(GstElement* element) {
  const auto note = [](GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<Record*>(data);
    if (GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
      self->frames.push_back(codes_of(buffer).at(0));
      self->times.push_back(GST_BUFFER_PTS(buffer));
      self->discont.push_back(GST_BUFFER_IS_DISCONT(buffer));
      EXPECT_EQ(GST_BUFFER_DURATION(buffer), frame_time);
    } else if (GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info); GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
      GstClockTime start = 0;
      GstClockTime duration = 0;
      gst_event_parse_gap(event, &start, &duration);
      self->frames.push_back(-1);
      self->times.push_back(start);
      self->discont.push_back(false);
      EXPECT_EQ(duration, frame_time);
    }
    return GST_PAD_PROBE_OK;
  };
  GstPad* pad = gst_element_get_static_pad(element, "src");
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      note, this, nullptr);
  gst_object_unref(pad);
}

bool Record::continuous() const {
  for (size_t i = 1; i < times.size(); ++i) {
    if (times[i] - times[i - 1] != frame_time) return false;
  }
  return true;
}

std::vector<int> upto(int count, const std::set<int>& missing) {
  std::vector<int> frames(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) frames[static_cast<size_t>(i)] = missing.contains(i) ? -1 : i;
  return frames;
}

PacketInfo info_of(GstBuffer* packet) {
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  EXPECT_TRUE(gst_rtp_buffer_map(packet, GST_MAP_READ, &rtp));
  const auto* payload = static_cast<const uint8_t*>(gst_rtp_buffer_get_payload(&rtp));
  const PacketInfo info{gst_rtp_buffer_get_marker(&rtp) != FALSE,
                        gst_rtp_buffer_get_timestamp(&rtp),
                        gst_rtp_buffer_get_seq(&rtp),
                        payload[0] & 15U,
                        payload[1],
                        gst_buffer_get_size(packet)};
  gst_rtp_buffer_unmap(&rtp);
  return info;
}

BufferPtr packet_of(const std::vector<uint8_t>& payload, uint16_t sequence, uint32_t timestamp,
                    GstClockTime pts) {
  GstBuffer* packet = gst_rtp_buffer_new_allocate(static_cast<guint>(payload.size()), 0, 0);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  gst_rtp_buffer_map(packet, GST_MAP_WRITE, &rtp);
  gst_rtp_buffer_set_payload_type(&rtp, 96);
  gst_rtp_buffer_set_seq(&rtp, sequence);
  gst_rtp_buffer_set_timestamp(&rtp, timestamp);
  std::copy(payload.begin(), payload.end(), static_cast<uint8_t*>(gst_rtp_buffer_get_payload(&rtp)));
  gst_rtp_buffer_unmap(&rtp);
  GST_BUFFER_PTS(packet) = pts;
  return BufferPtr(packet);
}
