// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

// clang-format off
/**
 * SECTION:element-rtpmimipay
 * @title: rtpmimipay
 * @see_also: rtpmimidepay, mimienc
 *
 * Puts codes of the Mimi codec into RTP packets (X-MIMI). Each packet holds `frames-per-packet` new frames
 * and repeats the last `redundancy` ones before them, so that a receiver gets frames of lost packets from
 * later ones. docs/rtp.md describes the format.
 *
 * The marker bit says that time jumped: the first packet, the one after a pause.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc ! rtpmimipay redundancy=2 ! udpsink host=127.0.0.1 port=5004
 * ]| Sends a recording as it would be spoken.
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc ! rtpmimipay ! rtpmimidepay ! mimidec ! audioconvert ! wavenc ! filesink location=through-rtp.wav
 * ]| Codes go into packets and out again.
 */
// clang-format on

#include "gstrtpmimipay.h"

#include <moshi/moshi.h>

#include <algorithm>
#include <atomic>
#include <deque>

#include "../elements.h"
#include "../guarded.h"
#include "../mimi_caps.h"
#include "../timeline.h"
#include "rtp_caps.h"
#include "rtp_element.h"

GST_DEBUG_CATEGORY_STATIC(rtpmimipay_debug);
#define GST_CAT_DEFAULT rtpmimipay_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(RTP_MIMI_CODES));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("application/x-rtp, media = (string) audio, encoding-name = (string) X-MIMI, "
                    "clock-rate = (int) 24000, payload = (int) [ 96, 127 ]"));

#define DEFAULT_REDUNDANCY 0
#define DEFAULT_FRAMES_PER_PACKET 1

static constexpr unsigned rtp_header = 12;

enum { PROP_0, PROP_REDUNDANCY, PROP_FRAMES_PER_PACKET, PROP_STATS };

struct GstRtpMimiPayPrivate {
  std::atomic<unsigned> redundancy = DEFAULT_REDUNDANCY;
  std::atomic<unsigned> frames_per_packet = DEFAULT_FRAMES_PER_PACKET;
  std::atomic<guint64> frames = 0;
  std::atomic<guint64> packets = 0;
  std::atomic<guint64> repeated = 0;

  // Of the streaming thread.
  gstmoshi::FrameFormat format;
  std::deque<std::vector<uint8_t>> frames_held;  // Packed, one after the other in time, the oldest first.
  unsigned pending = 0;                          // The last of them, not sent yet.
  GstClockTime pending_pts = GST_CLOCK_TIME_NONE;
  bool marker = true;
  gstmoshi::Timeline timeline;
};

#define gst_rtp_mimi_pay_parent_class parent_class
G_DEFINE_TYPE(GstRtpMimiPay, gst_rtp_mimi_pay, GST_TYPE_RTP_BASE_PAYLOAD)
GST_ELEMENT_REGISTER_DEFINE(rtpmimipay, "rtpmimipay", GST_RANK_NONE, gst_rtp_mimi_pay_get_type())

#define PRIV(object) (reinterpret_cast<GstRtpMimiPay*>(object)->priv)

static void forget(GstRtpMimiPayPrivate* priv) {
  priv->frames_held.clear();
  priv->pending = 0;
  priv->marker = true;
  priv->timeline.reset(gstmoshi::rtp_clock_rate);
}

// Frames that the MTU leaves room for.
static unsigned room(GstRtpMimiPay* self) {
  const unsigned headers = rtp_header + gstmoshi::rtp_header_bytes;
  const unsigned mtu = GST_RTP_BASE_PAYLOAD_MTU(self);
  return (mtu - std::min(mtu, headers)) / self->priv->format.bytes();
}

static unsigned new_frames_per_packet(GstRtpMimiPay* self) {
  const unsigned wanted = self->priv->frames_per_packet;
  return self->priv->format.codebooks == 0 ? wanted : std::clamp(room(self), 1U, wanted);
}

static gboolean set_format(GstRtpMimiPay* self, const gstmoshi::RtpMimi& caps) {
  GstRtpMimiPayPrivate* priv = self->priv;
  gstmoshi::RtpMimi stream = caps;
  priv->format = stream.format;
  if (room(self) == 0) {
    throw moshi::Error(moshi::ErrorCode::Settings,
                       "rtpmimipay mtu: expected room for a frame (" +
                           std::to_string(rtp_header + gstmoshi::rtp_header_bytes + stream.format.bytes()) +
                           " bytes with headers), found " + std::to_string(GST_RTP_BASE_PAYLOAD_MTU(self)) +
                           "; set a larger mtu or fewer codebooks");
  }
  stream.frames_per_packet = new_frames_per_packet(self);
  stream.redundancy = std::min(priv->redundancy.load(), room(self) - stream.frames_per_packet);
  gst_rtp_base_payload_set_options(GST_RTP_BASE_PAYLOAD(self), "audio", TRUE, "X-MIMI",
                                   gstmoshi::rtp_clock_rate);
  GstStructure* fields = gstmoshi::rtp_fields(stream);
  const gboolean agreed = gst_rtp_base_payload_set_outcaps_structure(GST_RTP_BASE_PAYLOAD(self), fields);
  gst_structure_free(fields);
  return agreed;
}

static GstFlowReturn send_pending(GstRtpMimiPay* self) {
  GstRtpMimiPayPrivate* priv = self->priv;
  if (priv->pending == 0) return GST_FLOW_OK;
  const auto held = static_cast<unsigned>(priv->frames_held.size());
  // New frames go first where the MTU is small.
  const unsigned spare = room(self) - std::min(room(self), priv->pending);
  const unsigned redundant = std::min({priv->redundancy.load(), held - priv->pending, spare});
  const unsigned count = redundant + priv->pending;

  std::vector<uint8_t> payload = gstmoshi::payload_header(redundant, priv->pending);
  for (auto frame = priv->frames_held.end() - count; frame != priv->frames_held.end(); ++frame) {
    payload.insert(payload.end(), frame->begin(), frame->end());
  }
  GstBuffer* packet = gst_rtp_base_payload_allocate_output_buffer(GST_RTP_BASE_PAYLOAD(self),
                                                                  static_cast<guint>(payload.size()), 0, 0);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  gst_rtp_buffer_map(packet, GST_MAP_WRITE, &rtp);
  std::copy(payload.begin(), payload.end(), static_cast<uint8_t*>(gst_rtp_buffer_get_payload(&rtp)));
  gst_rtp_buffer_set_marker(&rtp, priv->marker);
  gst_rtp_buffer_unmap(&rtp);
  if (priv->marker) GST_BUFFER_FLAG_SET(packet, GST_BUFFER_FLAG_MARKER);
  GST_BUFFER_PTS(packet) = priv->pending_pts;
  GST_BUFFER_DURATION(packet) = priv->pending * gstmoshi::rtp_frame_ns;
  GST_LOG_OBJECT(self, "%u new frames, %u repeated, marker %d", priv->pending, redundant, priv->marker);

  ++priv->packets;
  priv->repeated += redundant;
  priv->pending = 0;
  priv->marker = false;
  while (priv->frames_held.size() > priv->redundancy) priv->frames_held.pop_front();
  return gst_rtp_base_payload_push(GST_RTP_BASE_PAYLOAD(self), packet);
}

static GstFlowReturn take_frame(GstRtpMimiPay* self, GstBuffer* buffer) {
  GstRtpMimiPayPrivate* priv = self->priv;
  GstFlowReturn flow = GST_FLOW_OK;
  if (gst_buffer_get_size(buffer) == 0) {  // A frame that is missing here already.
    priv->marker = true;
    return send_pending(self);
  }
  const auto books = static_cast<int>(priv->format.codebooks);
  const auto codes = gstmoshi::read_codes(buffer, books, books, static_cast<int>(priv->format.cardinality));

  GstClockTime pts = GST_BUFFER_PTS(buffer);
  const bool began = GST_CLOCK_TIME_IS_VALID(priv->timeline.next());
  const bool jumped = !began || priv->timeline.jump(pts) != 0;
  if (jumped || GST_BUFFER_IS_DISCONT(buffer)) {
    flow = send_pending(self);
    priv->marker = true;
  }
  if (jumped) {
    priv->frames_held.clear();
    priv->timeline.restart(GST_CLOCK_TIME_IS_VALID(pts) ? pts : 0);
  }
  if (flow != GST_FLOW_OK) return flow;
  pts = priv->timeline.next();
  priv->timeline.advance(gstmoshi::rtp_frame_ticks);

  priv->frames_held.push_back(gstmoshi::pack_frame(priv->format, codes));
  ++priv->frames;
  if (priv->pending++ == 0) priv->pending_pts = pts;
  return priv->pending >= new_frames_per_packet(self) ? send_pending(self) : GST_FLOW_OK;
}

static GstFlowReturn gst_rtp_mimi_pay_handle_buffer(GstRTPBasePayload* payload, GstBuffer* buffer) {
  const GstFlowReturn flow = gstmoshi::guarded(GST_ELEMENT(payload), GST_FLOW_ERROR, [&] {
    return take_frame(reinterpret_cast<GstRtpMimiPay*>(payload), buffer);
  });
  gst_buffer_unref(buffer);
  return flow;
}

static gboolean gst_rtp_mimi_pay_set_caps(GstRTPBasePayload* payload, GstCaps* caps) {
  return gstmoshi::guarded(GST_ELEMENT(payload), FALSE, [&] {
    auto* self = reinterpret_cast<GstRtpMimiPay*>(payload);
    const auto stream = gstmoshi::parse_codes_caps(caps);
    send_pending(self);
    self->priv->frames_held.clear();
    return set_format(self, stream);
  });
}

// Codes that downstream wants, where it says so.
static GstCaps* gst_rtp_mimi_pay_get_caps(GstRTPBasePayload* payload, GstPad* pad, GstCaps* filter) {
  if (pad != GST_RTP_BASE_PAYLOAD_SINKPAD(payload)) {
    return GST_RTP_BASE_PAYLOAD_CLASS(parent_class)->get_caps(payload, pad, filter);
  }
  GstCaps* rtp = gst_pad_get_allowed_caps(GST_RTP_BASE_PAYLOAD_SRCPAD(payload));
  GstCaps* codes = rtp == nullptr ? gst_pad_get_pad_template_caps(pad) : gstmoshi::codes_for_rtp(rtp);
  gst_clear_caps(&rtp);
  if (filter == nullptr) return codes;
  GstCaps* result = gst_caps_intersect_full(filter, codes, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref(codes);
  return result;
}

// A file of codes has no time: it is counted in frames. Takes the event.
static GstEvent* timed_segment(GstEvent* event) {
  const GstSegment* segment = nullptr;
  gst_event_parse_segment(event, &segment);
  if (segment->format == GST_FORMAT_TIME) return event;
  gst_event_unref(event);
  GstSegment timed;
  gst_segment_init(&timed, GST_FORMAT_TIME);
  return gst_event_new_segment(&timed);
}

static gboolean gst_rtp_mimi_pay_sink_event(GstRTPBasePayload* payload, GstEvent* event) {
  return gstmoshi::guarded(GST_ELEMENT(payload), FALSE, [&] {
    auto* self = reinterpret_cast<GstRtpMimiPay*>(payload);
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_FLUSH_STOP:
        forget(self->priv);
        break;
      case GST_EVENT_SEGMENT:
        send_pending(self);
        forget(self->priv);
        event = timed_segment(event);
        break;
      case GST_EVENT_GAP:
        send_pending(self);
        self->priv->marker = true;
        break;
      case GST_EVENT_EOS:
        send_pending(self);
        break;
      default:
        break;
    }
    return GST_RTP_BASE_PAYLOAD_CLASS(parent_class)->sink_event(payload, event);
  });
}

static gboolean gst_rtp_mimi_pay_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(pad, parent, query);
  // The first frame of a packet waits for the others.
  const unsigned waits = PRIV(parent)->frames_per_packet - 1;
  return gstmoshi::answer_latency(GST_RTP_BASE_PAYLOAD_SINKPAD(parent), query,
                                  waits * gstmoshi::rtp_frame_ns);
}

static GstStateChangeReturn gst_rtp_mimi_pay_change_state(GstElement* element, GstStateChange transition) {
  GstRtpMimiPayPrivate* priv = PRIV(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    forget(priv);
    priv->frames = priv->packets = priv->repeated = 0;
  }
  return GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
}

static void gst_rtp_mimi_pay_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  switch (id) {
    case PROP_REDUNDANCY:
      PRIV(object)->redundancy = g_value_get_uint(value);
      break;
    case PROP_FRAMES_PER_PACKET:
      PRIV(object)->frames_per_packet = g_value_get_uint(value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_rtp_mimi_pay_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  const GstRtpMimiPayPrivate* priv = PRIV(object);
  switch (id) {
    case PROP_REDUNDANCY:
      g_value_set_uint(value, priv->redundancy);
      break;
    case PROP_FRAMES_PER_PACKET:
      g_value_set_uint(value, priv->frames_per_packet);
      break;
    case PROP_STATS: {
      GstStructure* stats = gstmoshi::base_stats(object, parent_class);
      gst_structure_set(stats, "frames", G_TYPE_UINT64, priv->frames.load(), "packets", G_TYPE_UINT64,
                        priv->packets.load(), "frames-repeated", G_TYPE_UINT64, priv->repeated.load(),
                        nullptr);
      g_value_take_boxed(value, stats);
      break;
    }
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_rtp_mimi_pay_finalize(GObject* object) {
  delete PRIV(object);
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_rtp_mimi_pay_class_init(GstRtpMimiPayClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* payload_class = GST_RTP_BASE_PAYLOAD_CLASS(klass);

  object_class->set_property = gst_rtp_mimi_pay_set_property;
  object_class->get_property = gst_rtp_mimi_pay_get_property;
  object_class->finalize = gst_rtp_mimi_pay_finalize;
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_rtp_mimi_pay_change_state);
  payload_class->get_caps = GST_DEBUG_FUNCPTR(gst_rtp_mimi_pay_get_caps);
  payload_class->set_caps = GST_DEBUG_FUNCPTR(gst_rtp_mimi_pay_set_caps);
  payload_class->handle_buffer = GST_DEBUG_FUNCPTR(gst_rtp_mimi_pay_handle_buffer);
  payload_class->sink_event = GST_DEBUG_FUNCPTR(gst_rtp_mimi_pay_sink_event);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "RTP payloader for Mimi codes", "Codec/Payloader/Network/RTP",
      "Puts codes of the Mimi codec into RTP packets (X-MIMI)", "the gst-moshi authors");

  const auto flags =
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
  g_object_class_install_property(
      object_class, PROP_REDUNDANCY,
      g_param_spec_uint("redundancy", "Redundancy",
                        "Earlier frames that each packet repeats, as far as the MTU allows; a receiver's "
                        "latency grows by as many",
                        0, gstmoshi::rtp_max_redundancy, DEFAULT_REDUNDANCY, flags));
  g_object_class_install_property(
      object_class, PROP_FRAMES_PER_PACKET,
      g_param_spec_uint("frames-per-packet", "Frames a packet",
                        "New frames in a packet, as far as the MTU allows; the first waits for the others", 1,
                        gstmoshi::rtp_max_frames, DEFAULT_FRAMES_PER_PACKET, flags));
  gstmoshi::install_stats(object_class, PROP_STATS,
                          "The base class's statistics and frames, packets, frames-repeated");

  GST_DEBUG_CATEGORY_INIT(rtpmimipay_debug, "rtpmimipay", 0, "RTP payloader for Mimi codes");
}

static void gst_rtp_mimi_pay_init(GstRtpMimiPay* self) {
  self->priv = new GstRtpMimiPayPrivate;
  gst_pad_set_query_function(GST_RTP_BASE_PAYLOAD_SRCPAD(self),
                             GST_DEBUG_FUNCPTR(gst_rtp_mimi_pay_src_query));
}
