// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

// clang-format off
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
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc ! filesink location=question.codes
 * ]| Writes the codes of a recording: little-endian 16-bit values, one frame after the other.
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc ! mimidec ! audioconvert ! wavenc ! filesink location=roundtrip.wav
 * ]| Encodes and decodes a recording, to hear what the codec keeps of it.
 */
// clang-format on

#include "gstmimienc.h"

#include <moshi/moshi.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "backend.h"
#include "elements.h"
#include "encoder_input.h"
#include "guarded.h"
#include "mimi_caps.h"
#include "timeline.h"

GST_DEBUG_CATEGORY(mimienc_debug);
#define GST_CAT_DEFAULT mimienc_debug

#define RAW_CAPS \
  "audio/x-raw, format = (string) { F32LE, S16LE }, layout = (string) interleaved, channels = (int) 1, "

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(RAW_CAPS "rate = (int) [ 1, MAX ]"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(MIMI_CAPS));

#define ASSUMED_LATENCY_MS 20  // Until it is measured.
#define DEFAULT_CODEBOOKS 0
#define DEFAULT_MAX_GAP (2 * GST_SECOND)

enum { PROP_CODEBOOKS = gstmoshi::PROP_OWN, PROP_MAX_GAP };

struct GstMimiEncPrivate {
  explicit GstMimiEncPrivate(GstMimiEnc* self);

  gstmoshi::Backend backend;
  std::atomic<int> codebooks = DEFAULT_CODEBOOKS;
  std::atomic<GstClockTime> max_gap = DEFAULT_MAX_GAP;
  gstmoshi::EncoderInput input;

  // Of the streaming thread.
  int stream_codebooks = 0;  // In the source caps.
  std::shared_ptr<moshi::EncoderSession> session;
  bool pushed = false;  // Output has begun, so events need not wait for it.
};

#define gst_mimi_enc_parent_class parent_class
G_DEFINE_TYPE(GstMimiEnc, gst_mimi_enc, GST_TYPE_AUDIO_ENCODER)
GST_ELEMENT_REGISTER_DEFINE(mimienc, "mimienc", GST_RANK_NONE, gst_mimi_enc_get_type())

#define GST_MIMI_ENC(object) (reinterpret_cast<GstMimiEnc*>(object))
#define PRIV(object) (GST_MIMI_ENC(object)->priv)

static void set_latency(GstMimiEnc* self, GstClockTime budget) {
  const auto context = self->priv->backend.find_context();
  const GstClockTime frame = context ? static_cast<GstClockTime>(context->codec().frame_ns) : 0;
  gst_audio_encoder_set_latency(GST_AUDIO_ENCODER(self), frame + budget, frame + budget);
}

GstMimiEncPrivate::GstMimiEncPrivate(GstMimiEnc* self)
    : backend(GST_ELEMENT(self), {ASSUMED_LATENCY_MS, &moshi::FrameFigures::encode_ms_p99},
              [self](GstClockTime budget) { set_latency(self, budget); }),
      input(GST_AUDIO_ENCODER(self), backend) {}

static void forget_stream(GstMimiEncPrivate* priv) {
  priv->input.forget_stream();
  priv->pushed = false;
}

static gboolean gst_mimi_enc_start(GstAudioEncoder* encoder) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  priv->backend.start();
  priv->input.set_format(nullptr);
  forget_stream(priv);
  set_latency(GST_MIMI_ENC(encoder), priv->backend.budget());
  return TRUE;
}

static gboolean gst_mimi_enc_stop(GstAudioEncoder* encoder) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  priv->backend.figures().detach();
  priv->session.reset();
  return TRUE;
}

static gboolean gst_mimi_enc_open(GstElement* element) {
  return gstmoshi::guarded(element, FALSE, [&] {
    PRIV(element)->backend.open("codec", [](auto& context, const auto& progress, const auto& cancel) {
      context.load_codec(progress, &cancel);
    });
    return TRUE;
  });
}

// Not the base class's open and close: it would add an error of its own.
static GstStateChangeReturn gst_mimi_enc_change_state(GstElement* element, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !gst_mimi_enc_open(element))
    return GST_STATE_CHANGE_FAILURE;
  // Before the base class waits for the streaming thread.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) PRIV(element)->backend.unblock();
  const GstStateChangeReturn result = GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL) PRIV(element)->backend.close();
  return result;
}

static void gst_mimi_enc_set_context(GstElement* element, GstContext* context) {
  PRIV(element)->backend.set_context(context);
  GST_ELEMENT_CLASS(parent_class)->set_context(element, context);
}

// What the codec takes; to a question that excludes it the answer is what the template allows, so that
// set_format can say what is wrong.
static GstCaps* gst_mimi_enc_getcaps(GstAudioEncoder* encoder, GstCaps* filter) {
  const auto context = PRIV(encoder)->backend.find_context();
  GstCaps* all = gst_pad_get_pad_template_caps(GST_AUDIO_ENCODER_SINK_PAD(encoder));
  if (context) {
    GstCaps* caps = gst_caps_copy(all);
    gst_caps_set_simple(caps, "rate", G_TYPE_INT, context->codec().sample_rate, nullptr);
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
    priv->input.restart_codec();
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
}

// The buffer's samples in [-1, 1], padded with silence to `size`.
static std::vector<float> read_pcm(GstBuffer* buffer, const GstAudioInfo& info, size_t size) {
  std::vector<guint8> bytes(size * static_cast<size_t>(info.bpf));
  gst_buffer_extract(buffer, 0, bytes.data(), bytes.size());
  std::vector<float> pcm(size);
  if (GST_AUDIO_INFO_FORMAT(&info) == GST_AUDIO_FORMAT_F32LE) {
    for (size_t i = 0; i < size; ++i) pcm[i] = GST_READ_FLOAT_LE(&bytes[4 * i]);
  } else {
    for (size_t i = 0; i < size; ++i) {
      pcm[i] = static_cast<float>(static_cast<int16_t>(GST_READ_UINT16_LE(&bytes[2 * i]))) / 32768.0F;
    }
  }
  return pcm;
}

static GstFlowReturn encode(GstMimiEnc* self, GstBuffer* buffer) {
  GstMimiEncPrivate* priv = self->priv;
  ensure_session(priv);
  const auto session = priv->session;
  const auto frame_size = static_cast<gsize>(priv->backend.context().codec().frame_size);
  const GstAudioInfo& info = priv->input.info();
  const gsize samples = gst_buffer_get_size(buffer) / static_cast<gsize>(info.bpf);

  priv->backend.figures().change([](auto& counters) { ++counters.frames_in; });
  if (priv->input.take_restart()) session->reset();
  priv->input.restart_codec();  // Until this frame is through.
  session->submit(read_pcm(buffer, info, frame_size));
  std::vector<uint16_t> codes(static_cast<size_t>(priv->stream_codebooks));
  session->await(codes, priv->backend.cancellation());
  if (samples == frame_size) priv->input.take_restart();  // Padding ends a stream.

  GstBuffer* output = gstmoshi::write_codes(codes);
  if (samples < frame_size) {
    gst_buffer_add_audio_clipping_meta(output, GST_FORMAT_DEFAULT, 0, frame_size - samples);
  }
  priv->pushed = true;
  return gst_audio_encoder_finish_frame(GST_AUDIO_ENCODER(self), output, static_cast<gint>(samples));
}

static GstFlowReturn gst_mimi_enc_handle_frame(GstAudioEncoder* encoder, GstBuffer* buffer) {
  if (buffer == nullptr) {  // Drained: what follows is another stream.
    PRIV(encoder)->input.restart_codec();
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

static GstFlowReturn gst_mimi_enc_chain(GstPad* /*pad*/, GstObject* parent, GstBuffer* buffer) {
  return gstmoshi::guarded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] {
    GstMimiEncPrivate* priv = PRIV(parent);
    // The codec's id, which the caps need, is known once it is loaded.
    const GstFlowReturn flow = priv->backend.wait_loaded();
    if (flow == GST_FLOW_OK) return priv->input.chain(buffer, priv->max_gap);
    gst_buffer_unref(buffer);
    return flow;
  });
}

static gboolean handle_gap(GstAudioEncoder* encoder, GstEvent* event) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  if (priv->backend.wait_loaded() != GST_FLOW_OK) {
    gst_event_unref(event);
    return FALSE;
  }
  GstFlowReturn flow = GST_FLOW_OK;
  event = priv->input.gap(event, priv->max_gap, &flow);
  if (event == nullptr) return flow == GST_FLOW_OK;
  // Before the first output the event has to stay behind the segment, which the base class holds back.
  if (!priv->pushed) return GST_AUDIO_ENCODER_CLASS(parent_class)->sink_event(encoder, event);
  return gst_pad_push_event(GST_AUDIO_ENCODER_SRC_PAD(encoder), event);
}

static gboolean sink_event(GstAudioEncoder* encoder, GstEvent* event) {
  GstMimiEncPrivate* priv = PRIV(encoder);
  const GstAudioEncoderClass* base = GST_AUDIO_ENCODER_CLASS(parent_class);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      priv->input.set_format(caps);
      return base->sink_event(encoder, event);
    }
    case GST_EVENT_SEGMENT: {
      const gboolean done = base->sink_event(encoder, event);
      forget_stream(priv);
      return done;
    }
    case GST_EVENT_GAP:
      return handle_gap(encoder, event);
    case GST_EVENT_FLUSH_START:
      priv->backend.unblock();
      return base->sink_event(encoder, event);
    case GST_EVENT_FLUSH_STOP:
      priv->backend.rearm();
      forget_stream(priv);
      return base->sink_event(encoder, event);
    default:
      if (gstmoshi::is_end_of_input(event)) {
        priv->input.end();
        if (priv->pushed) return gst_pad_push_event(GST_AUDIO_ENCODER_SRC_PAD(encoder), event);
      }
      return base->sink_event(encoder, event);
  }
}

static gboolean gst_mimi_enc_sink_event(GstAudioEncoder* encoder, GstEvent* event) {
  return gstmoshi::guarded(GST_ELEMENT(encoder), FALSE, [&] { return sink_event(encoder, event); });
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

  gstmoshi::Backend::install_properties(object_class);
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
  GstAudioEncoder* encoder = GST_AUDIO_ENCODER(self);
  self->priv = new GstMimiEncPrivate(self);
  // Time stamps are counted in samples; a jump beyond the tolerance starts the count anew.
  gst_audio_encoder_set_perfect_timestamp(encoder, TRUE);
  gst_audio_encoder_set_tolerance(encoder, gstmoshi::Timeline::tolerance);
  // In front of the base class's own function, to see time jumps first.
  GstPad* pad = GST_AUDIO_ENCODER_SINK_PAD(encoder);
  gst_pad_set_chain_function(pad, GST_DEBUG_FUNCPTR(gst_mimi_enc_chain));
}
