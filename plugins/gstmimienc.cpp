// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:element-mimienc
 * @title: mimienc
 * @see_also: mimidec, moshilm
 *
 * Encodes speech with the Mimi codec: one frame (80 ms for the published models) of mono PCM becomes one
 * buffer of codes. The codec is streaming, so a frame's codes depend on what came before it.
 *
 * A gap in the input is encoded as silence up to #GstMimiEnc:max-gap, so that the codec hears the time
 * pass; beyond it the codec starts anew. The last frame is padded with silence and carries a
 * #GstAudioClippingMeta, with which a mimidec right behind restores the exact length.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc !
 * filesink location=question.codes
 * ]| Writes the codes of a recording: little-endian 16-bit values, one frame after the other.
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc !
 * mimidec ! audioconvert ! wavenc ! filesink location=roundtrip.wav
 * ]| Encodes and decodes a recording, to hear what the codec keeps of it.
 */

#include "gstmimienc.h"

#include <moshi/moshi.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "backend.h"
#include "elements.h"
#include "guarded.h"
#include "mimi_caps.h"
#include "timeline.h"

GST_DEBUG_CATEGORY_STATIC(mimienc_debug);
#define GST_CAT_DEFAULT mimienc_debug

#define RAW_CAPS \
  "audio/x-raw, format = (string) { F32LE, S16LE }, layout = (string) interleaved, channels = (int) 1, "

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(RAW_CAPS "rate = (int) [ 1, MAX ]"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(MIMI_CAPS));

#define DEFAULT_LATENCY_MS 20
#define DEFAULT_CODEBOOKS 0
#define DEFAULT_MAX_GAP (2 * GST_SECOND)

enum { PROP_CODEBOOKS = gstmoshi::PROP_OWN, PROP_MAX_GAP };

struct GstMimiEncPrivate {
  explicit GstMimiEncPrivate(GstMimiEnc* self);

  gstmoshi::Backend backend;
  std::atomic<int> codebooks = DEFAULT_CODEBOOKS;
  std::atomic<GstClockTime> max_gap = DEFAULT_MAX_GAP;
  GstPadChainFunction base_chain = nullptr;

  // Of the streaming thread.
  GstAudioInfo info;         // Of the sink caps; invalid before them.
  int stream_codebooks = 0;  // In the source caps.
  std::shared_ptr<moshi::EncoderSession> session;
  bool fresh = false;           // The codec starts anew with the next frame.
  bool discont = false;         // The next output does not continue the last one.
  gstmoshi::Timeline timeline;  // Of the input.
  guint64 in_frame = 0;         // Samples the base class holds of an unfinished frame.
  GstClockTime shift = 0;       // Silence put in at the end of the input, which moves the rest.
  GstClockTime gap = 0;         // Length of the gap so far.
  bool pushed = false;          // Output has begun, so events need not wait for it.
};

#define gst_mimi_enc_parent_class parent_class
G_DEFINE_TYPE(GstMimiEnc, gst_mimi_enc, GST_TYPE_AUDIO_ENCODER)
GST_ELEMENT_REGISTER_DEFINE(mimienc, "mimienc", GST_RANK_NONE, gst_mimi_enc_get_type())

#define GST_MIMI_ENC(object) (reinterpret_cast<GstMimiEnc*>(object))
#define PRIV(object) (GST_MIMI_ENC(object)->priv)

static void set_latency(GstMimiEnc* self, GstClockTime budget) {
  GstMimiEncPrivate* priv = self->priv;
  const GstClockTime frame =
      priv->backend.is_open() ? static_cast<GstClockTime>(priv->backend.context().codec().frame_ns) : 0;
  gst_audio_encoder_set_latency(GST_AUDIO_ENCODER(self), frame + budget, frame + budget);
}

GstMimiEncPrivate::GstMimiEncPrivate(GstMimiEnc* self)
    : backend(GST_ELEMENT(self), DEFAULT_LATENCY_MS,
              [self](GstClockTime budget) { set_latency(self, budget); }) {
  gst_audio_info_init(&info);
}

static gboolean gst_mimi_enc_open(GstAudioEncoder* encoder) {
  return gstmoshi::guarded(GST_ELEMENT(encoder), FALSE, [&] {
    PRIV(encoder)->backend.open("codec", [](auto& context, const auto& progress, const auto& cancel) {
      context.load_codec(progress, &cancel);
    });
    return TRUE;
  });
}

static gboolean gst_mimi_enc_close(GstAudioEncoder* encoder) {
  PRIV(encoder)->backend.close();
  return TRUE;
}

static void forget_stream(GstMimiEncPrivate* priv) {
  priv->timeline.reset(priv->backend.context().codec().sample_rate);
  priv->in_frame = 0;
  priv->shift = 0;
  priv->gap = 0;
  priv->fresh = true;
}

static gboolean gst_mimi_enc_start(GstAudioEncoder* encoder) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  priv->backend.start();
  gst_audio_info_init(&priv->info);
  forget_stream(priv);
  priv->pushed = false;
  set_latency(GST_MIMI_ENC(encoder), priv->backend.budget());
  return TRUE;
}

static gboolean gst_mimi_enc_stop(GstAudioEncoder* encoder) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  priv->backend.figures().detach();
  priv->session.reset();
  return TRUE;
}

static GstStateChangeReturn gst_mimi_enc_change_state(GstElement* element, GstStateChange transition) {
  // Before the base class waits for the streaming thread.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) PRIV(element)->backend.unblock();
  return GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
}

static void gst_mimi_enc_set_context(GstElement* element, GstContext* context) {
  PRIV(element)->backend.set_context(context);
  GST_ELEMENT_CLASS(parent_class)->set_context(element, context);
}

// What the codec takes; to a question that excludes it the answer is what the template allows, so that
// set_format can say what is wrong.
static GstCaps* gst_mimi_enc_getcaps(GstAudioEncoder* encoder, GstCaps* filter) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  GstCaps* all = gst_pad_get_pad_template_caps(GST_AUDIO_ENCODER_SINK_PAD(encoder));
  if (priv->backend.is_open()) {
    GstCaps* caps = gst_caps_copy(all);
    gst_caps_set_simple(caps, "rate", G_TYPE_INT, priv->backend.context().codec().sample_rate, nullptr);
    if (filter == nullptr || gst_caps_can_intersect(filter, caps)) gst_caps_replace(&all, caps);
    gst_caps_unref(caps);
  }
  if (filter == nullptr) return all;
  GstCaps* result = gst_caps_intersect_full(filter, all, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref(all);
  return result;
}

// The codebooks asked for, or else what downstream takes that is nearest to the published rule.
static GstCaps* choose_output(GstMimiEnc* self) {
  const moshi::CodecInfo& codec = self->priv->backend.context().codec();
  const int wanted = self->priv->codebooks;
  if (wanted > codec.codebooks_max) {
    throw moshi::Error(moshi::ErrorCode::Settings, "codebooks=" + std::to_string(wanted) +
                                                       " is more than the codec has: expected 1 to " +
                                                       std::to_string(codec.codebooks_max));
  }
  GstCaps* ours = gstmoshi::mimi_caps(codec, {std::max(wanted, 1), codec.codec_id});
  if (wanted == 0 && codec.codebooks_max > 1) {
    gst_caps_set_simple(ours, "codebooks", GST_TYPE_INT_RANGE, 1, codec.codebooks_max, nullptr);
  }
  GstCaps* taken = gst_pad_peer_query_caps(GST_AUDIO_ENCODER_SRC_PAD(self), ours);
  gst_caps_unref(ours);
  if (gst_caps_is_empty(taken)) {
    gst_caps_unref(taken);
    throw moshi::Error(moshi::ErrorCode::OutOfRange,
                       "downstream does not take codes of this codec (" + codec.codec_id +
                           "): check `codebooks` and that all elements name the same model");
  }
  taken = gst_caps_make_writable(gst_caps_truncate(taken));
  gst_structure_fixate_field_nearest_int(gst_caps_get_structure(taken, 0), "codebooks", codec.codebooks);
  return gst_caps_fixate(taken);
}

static gboolean gst_mimi_enc_set_format(GstAudioEncoder* encoder, GstAudioInfo* info) {
  return gstmoshi::guarded(GST_ELEMENT(encoder), FALSE, [&] {
    GstMimiEncPrivate* priv = PRIV(encoder);
    const moshi::CodecInfo& codec = priv->backend.context().codec();
    if (GST_AUDIO_INFO_RATE(info) != codec.sample_rate || GST_AUDIO_INFO_CHANNELS(info) != 1) {
      throw moshi::Error(moshi::ErrorCode::OutOfRange,
                         "wrong input format: expected " + std::to_string(codec.sample_rate) +
                             " Hz mono, found " + std::to_string(GST_AUDIO_INFO_RATE(info)) + " Hz with " +
                             std::to_string(GST_AUDIO_INFO_CHANNELS(info)) +
                             " channels; put audioconvert ! audioresample before mimienc");
    }
    GstCaps* caps = choose_output(GST_MIMI_ENC(encoder));
    gint codebooks = 0;
    gst_structure_get_int(gst_caps_get_structure(caps, 0), "codebooks", &codebooks);
    if (codebooks != priv->stream_codebooks) {
      priv->backend.figures().detach();
      priv->session.reset();
      priv->stream_codebooks = codebooks;
    }
    priv->fresh = true;
    gst_audio_encoder_set_frame_samples_min(encoder, codec.frame_size);
    gst_audio_encoder_set_frame_samples_max(encoder, codec.frame_size);
    gst_audio_encoder_set_frame_max(encoder, 1);
    const gboolean accepted = gst_audio_encoder_set_output_format(encoder, caps);
    gst_caps_unref(caps);
    return accepted;
  });
}

static void ensure_session(GstMimiEncPrivate* priv) {
  if (priv->session) return;
  priv->session = priv->backend.context().open_encoder(priv->stream_codebooks);
  priv->backend.attach([session = priv->session] { return session->stats(); });
  priv->fresh = false;
}

// The buffer's samples in [-1, 1], padded with silence to `size`.
static std::vector<float> read_pcm(GstBuffer* buffer, const GstAudioInfo& info, size_t size) {
  std::vector<float> pcm(size, 0.0F);
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) {
    throw moshi::Error(moshi::ErrorCode::Failed, "an input buffer cannot be read");
  }
  const size_t count = std::min(size, map.size / static_cast<size_t>(info.bpf));
  if (GST_AUDIO_INFO_FORMAT(&info) == GST_AUDIO_FORMAT_F32LE) {
    for (size_t i = 0; i < count; ++i) pcm[i] = GST_READ_FLOAT_LE(map.data + 4 * i);
  } else {
    for (size_t i = 0; i < count; ++i) {
      pcm[i] = static_cast<float>(static_cast<int16_t>(GST_READ_UINT16_LE(map.data + 2 * i))) / 32768.0F;
    }
  }
  gst_buffer_unmap(buffer, &map);
  return pcm;
}

static GstFlowReturn encode(GstMimiEnc* self, GstBuffer* buffer) {
  GstMimiEncPrivate* priv = self->priv;
  ensure_session(priv);
  const auto session = priv->session;
  const auto frame_size = static_cast<gsize>(priv->backend.context().codec().frame_size);
  const gsize samples = gst_buffer_get_size(buffer) / static_cast<gsize>(priv->info.bpf);

  priv->backend.figures().change([](auto& counters) { ++counters.frames_in; });
  if (priv->fresh) session->reset();
  priv->fresh = true;  // Until this frame is through.
  session->submit(read_pcm(buffer, priv->info, frame_size));
  std::vector<uint16_t> codes(static_cast<size_t>(priv->stream_codebooks));
  session->await(codes, priv->backend.cancellation());
  priv->fresh = samples < frame_size;  // Padding ends a stream.

  GstBuffer* output = gstmoshi::write_codes(codes);
  if (samples < frame_size) {
    gst_buffer_add_audio_clipping_meta(output, GST_FORMAT_DEFAULT, 0, frame_size - samples);
  }
  priv->in_frame = 0;
  priv->pushed = true;
  return gst_audio_encoder_finish_frame(GST_AUDIO_ENCODER(self), output, static_cast<gint>(samples));
}

static GstFlowReturn gst_mimi_enc_handle_frame(GstAudioEncoder* encoder, GstBuffer* buffer) {
  if (buffer == nullptr) {  // Drained: what follows is another stream.
    PRIV(encoder)->fresh = true;
    return GST_FLOW_OK;
  }
  return gstmoshi::guarded(GST_ELEMENT(encoder), GST_FLOW_ERROR,
                           [&] { return encode(GST_MIMI_ENC(encoder), buffer); });
}

static GstFlowReturn gst_mimi_enc_pre_push(GstAudioEncoder* encoder, GstBuffer** buffer) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  priv->backend.figures().change([](auto& counters) { ++counters.frames_out; });
  priv->backend.check_late(encoder->output_segment, GST_BUFFER_PTS(*buffer), GST_BUFFER_DURATION(*buffer));
  return GST_FLOW_OK;
}

static gboolean gst_mimi_enc_transform_meta(GstAudioEncoder* encoder, GstBuffer* output, GstMeta* meta,
                                            GstBuffer* input) {
  // Clipping of the input says nothing about the codes.
  if (meta->info->api == GST_AUDIO_CLIPPING_META_API_TYPE) return FALSE;
  return GST_AUDIO_ENCODER_CLASS(parent_class)->transform_meta(encoder, output, meta, input);
}

// Hands samples to the base class, which cuts them into frames.
static GstFlowReturn push_samples(GstMimiEnc* self, GstBuffer* buffer) {
  GstMimiEncPrivate* priv = self->priv;
  const guint64 samples = gst_buffer_get_size(buffer) / static_cast<gsize>(priv->info.bpf);
  const auto frame_size = static_cast<guint64>(priv->backend.context().codec().frame_size);
  const guint64 in_frame = (priv->in_frame + samples) % frame_size;
  priv->timeline.advance(samples);
  GstPad* pad = GST_AUDIO_ENCODER_SINK_PAD(self);
  const GstFlowReturn flow = priv->base_chain(pad, GST_OBJECT(self), buffer);
  priv->in_frame = in_frame;
  return flow;
}

// At most a second of silence a buffer, so that a long gap needs no memory.
static GstFlowReturn push_silence(GstMimiEnc* self, guint64 samples) {
  GstMimiEncPrivate* priv = self->priv;
  GstFlowReturn flow = GST_FLOW_OK;
  while (samples > 0 && flow == GST_FLOW_OK) {
    const guint64 part = std::min<guint64>(samples, static_cast<guint64>(priv->info.rate));
    const gsize size = static_cast<gsize>(part) * static_cast<gsize>(priv->info.bpf);
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
    gst_buffer_memset(buffer, 0, 0, size);
    GST_BUFFER_PTS(buffer) = priv->timeline.next();
    flow = push_samples(self, buffer);
    samples -= part;
  }
  return flow;
}

// Completes the frame under way with silence.
static GstFlowReturn complete_frame(GstMimiEnc* self) {
  GstMimiEncPrivate* priv = self->priv;
  if (priv->in_frame == 0) return GST_FLOW_OK;
  return push_silence(self,
                      static_cast<guint64>(priv->backend.context().codec().frame_size) - priv->in_frame);
}

// Time passes without data: silence up to max-gap, beyond it the codec starts anew. `silent` tells which.
static GstFlowReturn pass_gap(GstMimiEnc* self, GstClockTime duration, bool* silent) {
  GstMimiEncPrivate* priv = self->priv;
  const GstClockTime before = priv->gap;
  priv->gap += std::min(duration, GST_CLOCK_TIME_NONE - 1 - priv->gap);
  *silent = priv->gap <= priv->max_gap;
  if (*silent) {
    return push_silence(
        self, gst_util_uint64_scale_round(duration, static_cast<guint64>(priv->info.rate), GST_SECOND));
  }
  if (before > priv->max_gap) return GST_FLOW_OK;  // Started anew already.
  GST_DEBUG_OBJECT(self, "gap longer than max-gap, the codec starts anew");
  const GstFlowReturn flow = complete_frame(self);
  priv->fresh = true;
  return flow;
}

static GstFlowReturn chain(GstMimiEnc* self, GstBuffer* buffer) {
  GstMimiEncPrivate* priv = self->priv;
  GstAudioEncoder* encoder = GST_AUDIO_ENCODER(self);
  // Without caps, or with a torn buffer, the base class has the error to report.
  if (!GST_AUDIO_INFO_IS_VALID(&priv->info) ||
      gst_buffer_get_size(buffer) % static_cast<gsize>(priv->info.bpf) != 0) {
    return priv->base_chain(GST_AUDIO_ENCODER_SINK_PAD(self), GST_OBJECT(self), buffer);
  }
  buffer = gst_audio_buffer_clip(buffer, &encoder->input_segment, priv->info.rate, priv->info.bpf);
  if (buffer == nullptr) return GST_FLOW_OK;

  GstFlowReturn flow = GST_FLOW_OK;
  const GstClockTime pts =
      GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) + priv->shift : GST_CLOCK_TIME_NONE;
  const GstClockTimeDiff jump = priv->timeline.jump(pts);
  if (jump != 0) {
    GST_DEBUG_OBJECT(self, "time jumps by %" G_GINT64_FORMAT " ns", jump);
    priv->backend.figures().change([](auto& counters) { ++counters.resyncs; });
    bool silent = false;
    if (jump > 0) {
      flow = pass_gap(self, static_cast<GstClockTime>(jump), &silent);
    } else {
      flow = complete_frame(self);
      priv->fresh = true;
    }
    if (!silent) priv->timeline.restart(pts);
  } else if (!GST_CLOCK_TIME_IS_VALID(priv->timeline.next())) {
    priv->timeline.restart(GST_CLOCK_TIME_IS_VALID(pts) ? pts : encoder->input_segment.start);
  }
  priv->gap = 0;
  if (flow != GST_FLOW_OK) {
    gst_buffer_unref(buffer);
    return flow;
  }
  // The base class shall count, too, unless time jumped.
  buffer = gst_buffer_make_writable(buffer);
  GST_BUFFER_PTS(buffer) = priv->timeline.next();
  GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT);
  return push_samples(self, buffer);
}

static GstFlowReturn gst_mimi_enc_chain(GstPad* /*pad*/, GstObject* parent, GstBuffer* buffer) {
  return gstmoshi::guarded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] {
    // The codec's id, which the caps need, is known once it is loaded.
    const GstFlowReturn flow = PRIV(parent)->backend.wait_loaded();
    if (flow == GST_FLOW_OK) return chain(GST_MIMI_ENC(parent), buffer);
    gst_buffer_unref(buffer);
    return flow;
  });
}

// A gap announced by upstream; takes the event.
static gboolean handle_gap(GstMimiEnc* self, GstEvent* event) {
  GstMimiEncPrivate* priv = self->priv;
  const GstAudioEncoderClass* base = GST_AUDIO_ENCODER_CLASS(parent_class);
  GstClockTime start = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(event, &start, &duration);
  const bool over = priv->gap > priv->max_gap;
  if (priv->backend.wait_loaded() != GST_FLOW_OK) {
    gst_event_unref(event);
    return FALSE;
  }
  start += priv->shift;
  if (!GST_AUDIO_INFO_IS_VALID(&priv->info) || !GST_CLOCK_TIME_IS_VALID(duration)) {
    return base->sink_event(GST_AUDIO_ENCODER(self), event);
  }
  if (!over) {
    if (!GST_CLOCK_TIME_IS_VALID(priv->timeline.next())) priv->timeline.restart(start);
    const GstClockTime end = start + std::min(duration, GST_CLOCK_TIME_NONE - 1 - start);
    gst_event_unref(event);
    if (end <= priv->timeline.next()) return TRUE;
    bool silent = false;
    const GstFlowReturn flow = pass_gap(self, end - priv->timeline.next(), &silent);
    if (silent || flow != GST_FLOW_OK) return flow == GST_FLOW_OK;
    start = priv->timeline.next();
    priv->timeline.reset(priv->info.rate);
    if (end <= start) return TRUE;
    event = gst_event_new_gap(start, end - start);
  }
  // Before the first output the event has to stay behind the segment, which the base class holds back.
  if (!priv->pushed) return base->sink_event(GST_AUDIO_ENCODER(self), event);
  return gst_pad_push_event(GST_AUDIO_ENCODER_SRC_PAD(self), event);
}

static gboolean sink_event(GstMimiEnc* self, GstEvent* event) {
  GstMimiEncPrivate* priv = self->priv;
  GstAudioEncoder* encoder = GST_AUDIO_ENCODER(self);
  const GstAudioEncoderClass* base = GST_AUDIO_ENCODER_CLASS(parent_class);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      GstAudioInfo info;
      if (!gst_audio_info_from_caps(&info, caps)) gst_audio_info_init(&info);
      // The base class drains when the format changes.
      if (!gst_audio_info_is_equal(&info, &priv->info)) priv->in_frame = 0;
      priv->info = info;
      return base->sink_event(encoder, event);
    }
    case GST_EVENT_SEGMENT: {
      const gboolean done = base->sink_event(encoder, event);
      forget_stream(priv);
      priv->pushed = false;
      return done;
    }
    case GST_EVENT_GAP:
      return handle_gap(self, event);
    case GST_EVENT_FLUSH_START:
      priv->backend.unblock();
      return base->sink_event(encoder, event);
    case GST_EVENT_FLUSH_STOP:
      priv->backend.rearm();
      forget_stream(priv);
      priv->pushed = false;
      return base->sink_event(encoder, event);
    default:
      if (gstmoshi::is_end_of_input(event)) {
        const GstClockTime before = priv->timeline.next();
        complete_frame(self);
        if (GST_CLOCK_TIME_IS_VALID(before)) priv->shift += priv->timeline.next() - before;
        if (priv->pushed) return gst_pad_push_event(GST_AUDIO_ENCODER_SRC_PAD(self), event);
      }
      return base->sink_event(encoder, event);
  }
}

static gboolean gst_mimi_enc_sink_event(GstAudioEncoder* encoder, GstEvent* event) {
  return gstmoshi::guarded(GST_ELEMENT(encoder), FALSE,
                           [&] { return sink_event(GST_MIMI_ENC(encoder), event); });
}

static gboolean gst_mimi_enc_src_query(GstAudioEncoder* encoder, GstQuery* query) {
  const gboolean answered = GST_AUDIO_ENCODER_CLASS(parent_class)->src_query(encoder, query);
  if (answered && GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) PRIV(encoder)->backend.note_latency(query);
  return answered;
}

static void gst_mimi_enc_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  GstMimiEncPrivate* priv = PRIV(object);
  if (priv->backend.set_property(id, value)) return;
  switch (id) {
    case PROP_CODEBOOKS:
      priv->codebooks = g_value_get_int(value);
      break;
    case PROP_MAX_GAP:
      priv->max_gap = g_value_get_uint64(value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_mimi_enc_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  const GstMimiEncPrivate* priv = PRIV(object);
  if (priv->backend.get_property(id, value)) return;
  switch (id) {
    case PROP_CODEBOOKS:
      g_value_set_int(value, priv->codebooks);
      break;
    case PROP_MAX_GAP:
      g_value_set_uint64(value, priv->max_gap);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_mimi_enc_finalize(GObject* object) {
  delete PRIV(object);
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_mimi_enc_class_init(GstMimiEncClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* encoder_class = GST_AUDIO_ENCODER_CLASS(klass);

  object_class->set_property = gst_mimi_enc_set_property;
  object_class->get_property = gst_mimi_enc_get_property;
  object_class->finalize = gst_mimi_enc_finalize;
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_mimi_enc_change_state);
  element_class->set_context = GST_DEBUG_FUNCPTR(gst_mimi_enc_set_context);
  encoder_class->open = GST_DEBUG_FUNCPTR(gst_mimi_enc_open);
  encoder_class->close = GST_DEBUG_FUNCPTR(gst_mimi_enc_close);
  encoder_class->start = GST_DEBUG_FUNCPTR(gst_mimi_enc_start);
  encoder_class->stop = GST_DEBUG_FUNCPTR(gst_mimi_enc_stop);
  encoder_class->getcaps = GST_DEBUG_FUNCPTR(gst_mimi_enc_getcaps);
  encoder_class->set_format = GST_DEBUG_FUNCPTR(gst_mimi_enc_set_format);
  encoder_class->handle_frame = GST_DEBUG_FUNCPTR(gst_mimi_enc_handle_frame);
  encoder_class->pre_push = GST_DEBUG_FUNCPTR(gst_mimi_enc_pre_push);
  encoder_class->transform_meta = GST_DEBUG_FUNCPTR(gst_mimi_enc_transform_meta);
  encoder_class->sink_event = GST_DEBUG_FUNCPTR(gst_mimi_enc_sink_event);
  encoder_class->src_query = GST_DEBUG_FUNCPTR(gst_mimi_enc_src_query);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Mimi encoder", "Codec/Encoder/Audio",
                                        "Encodes speech to codes with the Mimi neural codec",
                                        "the gst-moshi authors");

  gstmoshi::Backend::install_properties(object_class, DEFAULT_LATENCY_MS);
  g_object_class_install_property(
      object_class, PROP_CODEBOOKS,
      g_param_spec_int(
          "codebooks", "Codebooks",
          "Codebooks to encode with; 0: what the model was published with, or what downstream "
          "takes that is nearest to it",
          0, 32, DEFAULT_CODEBOOKS,
          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)));
  g_object_class_install_property(
      object_class, PROP_MAX_GAP,
      g_param_spec_uint64(
          "max-gap", "Longest gap",
          "Gaps up to this many nanoseconds are encoded as silence; after a longer one the "
          "codec starts anew",
          0, G_MAXUINT64, DEFAULT_MAX_GAP,
          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)));

  GST_DEBUG_CATEGORY_INIT(mimienc_debug, "mimienc", 0, "Mimi encoder");
}

static void gst_mimi_enc_init(GstMimiEnc* self) {
  self->priv = new GstMimiEncPrivate(self);
  GstAudioEncoder* encoder = GST_AUDIO_ENCODER(self);
  // Time stamps are counted in samples; a jump beyond the tolerance starts the count anew.
  gst_audio_encoder_set_perfect_timestamp(encoder, TRUE);
  gst_audio_encoder_set_tolerance(encoder, gstmoshi::Timeline::tolerance);
  // In front of the base class's own function, to see time jumps first.
  GstPad* pad = GST_AUDIO_ENCODER_SINK_PAD(encoder);
  self->priv->base_chain = GST_PAD_CHAINFUNC(pad);
  gst_pad_set_chain_function(pad, GST_DEBUG_FUNCPTR(gst_mimi_enc_chain));
}
