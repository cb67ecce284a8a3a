// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

// clang-format off
/**
 * SECTION:element-rtpmimidepay
 * @title: rtpmimidepay
 * @see_also: rtpmimipay, mimidec
 *
 * Takes codes of the Mimi codec out of RTP packets (X-MIMI), one frame a buffer. Frames of lost packets come
 * from those that later packets repeat, in order; each frame that no packet brings any more is a GAP event.
 * Put an rtpjitterbuffer with do-lost=true in front: it orders packets and says when one is lost.
 *
 * The caps, or an SDP's fmtp line, say how many frames packets repeat; waiting for these is this element's
 * latency.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 udpsrc port=5004 caps="application/x-rtp, media=audio, clock-rate=24000, encoding-name=X-MIMI, codebooks=(string)5, cardinality=(string)512, redundancy=(string)2" ! rtpjitterbuffer latency=60 do-lost=true ! rtpmimidepay ! mimidec ! audioconvert ! audioresample ! autoaudiosink
 * ]| Plays what rtpmimipay's example sends.
 */
// clang-format on

#include "gstrtpmimidepay.h"

#include <moshi/moshi.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include "../elements.h"
#include "../guarded.h"
#include "../mimi_caps.h"
#include "frame_order.h"
#include "rtp_caps.h"
#include "rtp_element.h"

GST_DEBUG_CATEGORY_STATIC(rtpmimidepay_debug);
#define GST_CAT_DEFAULT rtpmimidepay_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("application/x-rtp, media = (string) audio, encoding-name = (string) X-MIMI, "
                    "clock-rate = (int) 24000"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(RTP_MIMI_CODES));

enum { PROP_0, PROP_STATS };

struct GstRtpMimiDepayPrivate {
  std::atomic<guint64> packets = 0;
  std::atomic<guint64> malformed = 0;
  std::atomic<guint64> frames = 0;
  std::atomic<guint64> recovered = 0;
  std::atomic<guint64> lost = 0;
  std::atomic<unsigned> delay = 0;  // Frames, what the latency query answers.

  // Of the streaming thread.
  gstmoshi::FrameFormat format;
  gstmoshi::FrameOrder order;
  GstClockTime next_pts = 0;  // Behind the last frame or gap.
  uint32_t next_timestamp = 0;
};

#define gst_rtp_mimi_depay_parent_class parent_class
G_DEFINE_TYPE(GstRtpMimiDepay, gst_rtp_mimi_depay, GST_TYPE_RTP_BASE_DEPAYLOAD)
GST_ELEMENT_REGISTER_DEFINE(rtpmimidepay, "rtpmimidepay", GST_RANK_NONE, gst_rtp_mimi_depay_get_type())

#define PRIV(object) (reinterpret_cast<GstRtpMimiDepay*>(object)->priv)

// The latency follows what packets hold.
static void update_delay(GstRtpMimiDepay* self) {
  const unsigned delay = self->priv->order.delay();
  if (self->priv->delay.exchange(delay) == delay) return;
  GST_INFO_OBJECT(self, "a frame may come %u frames after its own packet", delay);
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

static gboolean gst_rtp_mimi_depay_set_caps(GstRTPBaseDepayload* depayload, GstCaps* caps) {
  return gstmoshi::guarded(GST_ELEMENT(depayload), FALSE, [&] {
    auto* self = reinterpret_cast<GstRtpMimiDepay*>(depayload);
    const auto stream = gstmoshi::parse_rtp_caps(caps);
    self->priv->format = stream.format;
    self->priv->order = {};
    self->priv->order.expect(stream.redundancy, stream.frames_per_packet);
    update_delay(self);
    depayload->clock_rate = gstmoshi::rtp_clock_rate;
    GstCaps* codes = gstmoshi::codes_caps(stream);
    const gboolean agreed = gst_pad_set_caps(GST_RTP_BASE_DEPAYLOAD_SRCPAD(depayload), codes);
    gst_caps_unref(codes);
    return agreed;
  });
}

static void push_gaps(GstRtpMimiDepay* self, GstClockTime pts, unsigned frames) {
  self->priv->lost += frames;
  for (unsigned i = 0; i < frames; ++i) {
    gst_pad_push_event(GST_RTP_BASE_DEPAYLOAD_SRCPAD(self),
                       gst_event_new_gap(pts + i * gstmoshi::rtp_frame_ns, gstmoshi::rtp_frame_ns));
  }
}

// One warning each time their number has doubled.
static void drop_malformed(GstRtpMimiDepay* self, const std::string& reason) {
  const guint64 count = ++self->priv->malformed;
  GST_WARNING_OBJECT(self, "packet dropped: %s", reason.c_str());
  if (!std::has_single_bit(count)) return;
  GST_ELEMENT_WARNING(
      self, STREAM, DECODE,
      ("packet dropped: %s; the sender's parameters are not those of the caps, or packets are "
       "damaged (%" G_GUINT64_FORMAT " so far)",
       reason.c_str(), count),
      (nullptr));
}

// When the packet's first new frame is due; counted from the one before where packets have no time.
static GstClockTime packet_pts(GstRtpMimiDepayPrivate* priv, const GstBuffer* packet, uint32_t timestamp,
                               bool discont) {
  if (GST_BUFFER_PTS_IS_VALID(packet)) return GST_BUFFER_PTS(packet);
  if (discont) return priv->next_pts;
  return priv->next_pts +
         gst_util_uint64_scale_int(timestamp - priv->next_timestamp, GST_SECOND, gstmoshi::rtp_clock_rate);
}

static void push_frames(GstRtpMimiDepay* self, const gstmoshi::Payload& payload,
                        const gstmoshi::FrameOrder::Plan& plan, GstClockTime pts) {
  const unsigned first =
      plan.skipped > 0 ? payload.redundant + plan.skipped : payload.redundant - plan.recovered;
  for (unsigned i = first; i < payload.frames.size(); ++i) {
    GstBuffer* buffer = gstmoshi::write_codes(payload.frames[i]);
    const GstClockTime end = pts + i * gstmoshi::rtp_frame_ns;
    GST_BUFFER_PTS(buffer) = end - std::min(end, payload.redundant * gstmoshi::rtp_frame_ns);
    GST_BUFFER_DURATION(buffer) = gstmoshi::rtp_frame_ns;
    if (i == first && plan.discont) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    ++self->priv->frames;
    if (gst_rtp_base_depayload_push(GST_RTP_BASE_DEPAYLOAD(self), buffer) != GST_FLOW_OK) return;
  }
}

static void take_packet(GstRtpMimiDepay* self, GstRTPBuffer* rtp) {
  GstRtpMimiDepayPrivate* priv = self->priv;
  ++priv->packets;
  const std::span bytes(static_cast<const uint8_t*>(gst_rtp_buffer_get_payload(rtp)),
                        gst_rtp_buffer_get_payload_len(rtp));
  gstmoshi::Payload payload;
  if (const auto reason = gstmoshi::parse_payload(priv->format, bytes, payload); !reason.empty()) {
    drop_malformed(self, reason);
    return;
  }
  const uint32_t timestamp = gst_rtp_buffer_get_timestamp(rtp);
  const auto plan = priv->order.packet({gst_rtp_buffer_get_ssrc(rtp), gst_rtp_buffer_get_seq(rtp), timestamp,
                                        payload.redundant, payload.fresh});
  update_delay(self);
  if (plan.skipped == payload.fresh) return;
  const GstClockTime pts = packet_pts(priv, rtp->buffer, timestamp, plan.discont);
  const GstClockTime before = (plan.lost + plan.recovered) * gstmoshi::rtp_frame_ns;
  push_gaps(self, pts - std::min(pts, before), plan.lost);
  push_frames(self, payload, plan, pts);
  priv->recovered += plan.recovered;
  priv->next_pts = pts + payload.fresh * gstmoshi::rtp_frame_ns;
  priv->next_timestamp = timestamp + payload.fresh * gstmoshi::rtp_frame_ticks;
}

static GstBuffer* gst_rtp_mimi_depay_process(GstRTPBaseDepayload* depayload, GstRTPBuffer* rtp) {
  return gstmoshi::guarded(GST_ELEMENT(depayload), static_cast<GstBuffer*>(nullptr), [&]() -> GstBuffer* {
    take_packet(reinterpret_cast<GstRtpMimiDepay*>(depayload), rtp);
    return nullptr;  // All has been pushed.
  });
}

// From rtpjitterbuffer. What later packets may repeat is not given up yet. The base class frees the event.
static gboolean gst_rtp_mimi_depay_packet_lost(GstRTPBaseDepayload* depayload, GstEvent* event) {
  return gstmoshi::guarded(GST_ELEMENT(depayload), FALSE, [&] {
    auto* self = reinterpret_cast<GstRtpMimiDepay*>(depayload);
    GstRtpMimiDepayPrivate* priv = self->priv;
    guint sequence = 0;
    GstClockTime duration = 0;
    const GstStructure* structure = gst_event_get_structure(event);
    if (!gst_structure_get_uint(structure, "seqnum", &sequence)) return TRUE;
    gst_structure_get_clock_time(structure, "duration", &duration);
    // One event may stand for many packets.
    const GstClockTime packet = priv->order.frames_per_packet() * gstmoshi::rtp_frame_ns;
    const auto count = static_cast<unsigned>(std::clamp<guint64>((duration + packet / 2) / packet, 1, 1000));
    const GstClockTime pts = priv->next_pts + priv->order.given_up() * gstmoshi::rtp_frame_ns;
    push_gaps(self, pts, priv->order.lost(static_cast<uint16_t>(sequence), count));
    return TRUE;
  });
}

static gboolean gst_rtp_mimi_depay_handle_event(GstRTPBaseDepayload* depayload, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) PRIV(depayload)->order.reset();
  return GST_RTP_BASE_DEPAYLOAD_CLASS(parent_class)->handle_event(depayload, event);
}

static gboolean gst_rtp_mimi_depay_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(pad, parent, query);
  return gstmoshi::answer_latency(GST_RTP_BASE_DEPAYLOAD_SINKPAD(parent), query,
                                  PRIV(parent)->delay * gstmoshi::rtp_frame_ns);
}

static GstStateChangeReturn gst_rtp_mimi_depay_change_state(GstElement* element, GstStateChange transition) {
  GstRtpMimiDepayPrivate* priv = PRIV(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    priv->packets = priv->malformed = priv->frames = priv->recovered = priv->lost = 0;
    priv->order = {};
    priv->next_pts = 0;
  }
  return GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
}

static void gst_rtp_mimi_depay_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  const GstRtpMimiDepayPrivate* priv = PRIV(object);
  if (id != PROP_STATS) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    return;
  }
  GstStructure* stats = gstmoshi::base_stats(object, parent_class);
  gst_structure_set(stats, "packets", G_TYPE_UINT64, priv->packets.load(), "packets-malformed", G_TYPE_UINT64,
                    priv->malformed.load(), "frames", G_TYPE_UINT64, priv->frames.load(), "frames-recovered",
                    G_TYPE_UINT64, priv->recovered.load(), "frames-lost", G_TYPE_UINT64, priv->lost.load(),
                    nullptr);
  g_value_take_boxed(value, stats);
}

static void gst_rtp_mimi_depay_finalize(GObject* object) {
  delete PRIV(object);
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_rtp_mimi_depay_class_init(GstRtpMimiDepayClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* depayload_class = GST_RTP_BASE_DEPAYLOAD_CLASS(klass);

  object_class->get_property = gst_rtp_mimi_depay_get_property;
  object_class->finalize = gst_rtp_mimi_depay_finalize;
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_rtp_mimi_depay_change_state);
  depayload_class->set_caps = GST_DEBUG_FUNCPTR(gst_rtp_mimi_depay_set_caps);
  depayload_class->process_rtp_packet = GST_DEBUG_FUNCPTR(gst_rtp_mimi_depay_process);
  depayload_class->packet_lost = GST_DEBUG_FUNCPTR(gst_rtp_mimi_depay_packet_lost);
  depayload_class->handle_event = GST_DEBUG_FUNCPTR(gst_rtp_mimi_depay_handle_event);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "RTP depayloader for Mimi codes", "Codec/Depayloader/Network/RTP",
      "Takes codes of the Mimi codec out of RTP packets (X-MIMI)", "the gst-moshi authors");
  gstmoshi::install_stats(object_class, PROP_STATS,
                          "The base class's statistics and packets, packets-malformed, frames, "
                          "frames-recovered, frames-lost");

  GST_DEBUG_CATEGORY_INIT(rtpmimidepay_debug, "rtpmimidepay", 0, "RTP depayloader for Mimi codes");
}

static void gst_rtp_mimi_depay_init(GstRtpMimiDepay* self) {
  self->priv = new GstRtpMimiDepayPrivate;
  gst_pad_set_query_function(GST_RTP_BASE_DEPAYLOAD_SRCPAD(self),
                             GST_DEBUG_FUNCPTR(gst_rtp_mimi_depay_src_query));
}
