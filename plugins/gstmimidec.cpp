// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

// clang-format off
/**
 * SECTION:element-mimidec
 * @title: mimidec
 * @see_also: mimienc, moshilm
 *
 * Decodes codes of the Mimi codec to mono PCM, one frame a buffer. Lost frames (GAP events) are concealed:
 * the last sound is held for two frames while it fades, then there is silence; the codec's state stays. In a
 * live pipeline a frame that comes after its time has passed goes through the codec, but there is silence in
 * its place.
 *
 * Codes of other weights are refused when their caps carry a `codec-id`.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc ! mimidec ! audioconvert ! wavenc ! filesink location=roundtrip.wav
 * ]| Encodes and decodes a recording.
 * |[
 * gst-launch-1.0 filesrc location=question.codes blocksize=10 ! "audio/x-mimi, codebooks=5" ! mimidec ! audioconvert ! wavenc ! filesink location=decoded.wav
 * ]| Decodes a file that mimienc ! filesink wrote: two bytes a code, so 10 bytes a frame of 5 codebooks.
 */
// clang-format on

#include "gstmimidec.h"

#include <moshi/moshi.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "backend.h"
#include "concealment.h"
#include "elements.h"
#include "guarded.h"
#include "mimi_caps.h"
#include "timeline.h"

GST_DEBUG_CATEGORY_STATIC(mimidec_debug);
#define GST_CAT_DEFAULT mimidec_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(MIMI_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("audio/x-raw, format = (string) F32LE, layout = (string) interleaved, "
                    "rate = (int) [ 1, MAX ], channels = (int) 1"));

#define ASSUMED_LATENCY_MS 20  // Until it is measured.
#define DEFAULT_CODEBOOKS 0

// Longest time concealed at once; the rest of a longer gap is passed on as a gap.
static constexpr GstClockTime max_conceal = 10 * GST_SECOND;
// The sound comes back within this time.
static constexpr GstClockTime join_time = 10 * GST_MSECOND;

enum { PROP_CODEBOOKS = gstmoshi::PROP_OWN };

struct GstMimiDecPrivate {
  explicit GstMimiDecPrivate(GstMimiDec* self);

  gstmoshi::Backend backend;
  std::atomic<int> codebooks = DEFAULT_CODEBOOKS;

  // Of the streaming thread.
  gstmoshi::MimiStream stream;  // Of the sink caps.
  int used_codebooks = 0;       // The first of them, those that are decoded.
  std::shared_ptr<moshi::DecoderSession> session;
  bool fresh = false;                // The codec starts anew with the next frame.
  std::vector<uint16_t> last_codes;  // To conceal with; empty before the first frame.
  gstmoshi::Concealment concealment;
  gstmoshi::Timeline timeline;  // Of the input.
};

#define gst_mimi_dec_parent_class parent_class
G_DEFINE_TYPE(GstMimiDec, gst_mimi_dec, GST_TYPE_AUDIO_DECODER)
GST_ELEMENT_REGISTER_DEFINE(mimidec, "mimidec", GST_RANK_NONE, gst_mimi_dec_get_type())

#define GST_MIMI_DEC(object) (reinterpret_cast<GstMimiDec*>(object))
#define PRIV(object) (GST_MIMI_DEC(object)->priv)

GstMimiDecPrivate::GstMimiDecPrivate(GstMimiDec* self)
    : backend(GST_ELEMENT(self), {ASSUMED_LATENCY_MS, &moshi::FrameFigures::decode_ms_p99},
              [self](GstClockTime budget) {
                gst_audio_decoder_set_latency(GST_AUDIO_DECODER(self), budget, budget);
              }) {}

static void forget_stream(GstMimiDecPrivate* priv) {
  const moshi::CodecInfo& codec = priv->backend.context().codec();
  priv->timeline.reset(codec.sample_rate);
  priv->fresh = true;
  priv->last_codes.clear();
  priv->concealment.reset(
      static_cast<size_t>(codec.frame_size),
      gst_util_uint64_scale(join_time, static_cast<guint64>(codec.sample_rate), GST_SECOND));
}

static gboolean gst_mimi_dec_start(GstAudioDecoder* decoder) {
  GstMimiDecPrivate* priv = PRIV(decoder);
  priv->backend.start();
  forget_stream(priv);
  priv->stream = {};
  // Behind a file source there is only a byte segment: time is estimated from the bytes.
  gst_audio_decoder_set_estimate_rate(decoder, TRUE);
  gst_audio_decoder_set_plc_aware(decoder, TRUE);
  gst_audio_decoder_set_latency(decoder, priv->backend.budget(), priv->backend.budget());
  return TRUE;
}

static gboolean gst_mimi_dec_stop(GstAudioDecoder* decoder) {
  GstMimiDecPrivate* priv = PRIV(decoder);
  priv->backend.figures().detach();
  priv->session.reset();
  return TRUE;
}

static gboolean gst_mimi_dec_open(GstElement* element) {
  return gstmoshi::guarded(element, FALSE, [&] {
    PRIV(element)->backend.open("codec", [](auto& context, const auto& progress, const auto& cancel) {
      context.load_codec(progress, &cancel);
    });
    return TRUE;
  });
}

// Not the base class's open and close: it would add an error of its own.
static GstStateChangeReturn gst_mimi_dec_change_state(GstElement* element, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !gst_mimi_dec_open(element))
    return GST_STATE_CHANGE_FAILURE;
  // Before the base class waits for the streaming thread.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) PRIV(element)->backend.unblock();
  const GstStateChangeReturn result = GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL) PRIV(element)->backend.close();
  return result;
}

static void gst_mimi_dec_set_context(GstElement* element, GstContext* context) {
  PRIV(element)->backend.set_context(context);
  GST_ELEMENT_CLASS(parent_class)->set_context(element, context);
}

static GstCaps* gst_mimi_dec_getcaps(GstAudioDecoder* decoder, GstCaps* filter) {
  const auto context = PRIV(decoder)->backend.find_context();
  return gstmoshi::mimi_sink_caps(GST_AUDIO_DECODER_SINK_PAD(decoder), context ? &context->codec() : nullptr,
                                  1, filter);
}

static GstAudioInfo output_info(const GstMimiDecPrivate* priv) {
  GstAudioInfo info;
  gst_audio_info_set_format(&info, GST_AUDIO_FORMAT_F32LE, priv->backend.context().codec().sample_rate, 1,
                            nullptr);
  return info;
}

static gboolean gst_mimi_dec_set_format(GstAudioDecoder* decoder, GstCaps* caps) {
  return gstmoshi::guarded(GST_ELEMENT(decoder), FALSE, [&] {
    GstMimiDecPrivate* priv = PRIV(decoder);
    const moshi::CodecInfo& codec = priv->backend.context().codec();
    const int wanted = priv->codebooks;
    const gstmoshi::MimiStream stream = gstmoshi::parse_mimi_caps(caps, codec, wanted);
    const int used = wanted > 0 ? wanted : stream.codebooks;
    if (used > codec.codebooks_max) {
      throw moshi::Error(moshi::ErrorCode::OutOfRange, "too many codebooks: expected at most " +
                                                           std::to_string(codec.codebooks_max) + ", found " +
                                                           std::to_string(used) + "; set mimidec codebooks");
    }
    if (priv->session) gstmoshi::check_codec_id(stream, codec);
    priv->stream = stream;
    if (used != priv->used_codebooks) {
      priv->backend.figures().detach();
      priv->session.reset();
      priv->used_codebooks = used;
      priv->last_codes.clear();
    }
    const GstAudioInfo info = output_info(priv);
    return gst_audio_decoder_set_output_format(decoder, &info);
  });
}

static GstFlowReturn ensure_session(GstMimiDecPrivate* priv) {
  if (priv->session) return GST_FLOW_OK;
  const GstFlowReturn flow = priv->backend.wait_loaded();
  if (flow != GST_FLOW_OK) return flow;
  gstmoshi::check_codec_id(priv->stream, priv->backend.context().codec());
  priv->session = priv->backend.context().open_decoder(priv->used_codebooks);
  priv->backend.attach([session = priv->session] { return session->stats(); });
  priv->fresh = false;
  return GST_FLOW_OK;
}

// One frame through the codec, into `pcm`.
static void step(GstMimiDecPrivate* priv, std::span<const uint16_t> codes, std::span<float> pcm) {
  const auto session = priv->session;
  if (priv->fresh) session->reset();
  priv->fresh = true;  // Until this frame is through.
  session->submit(codes);
  session->await(pcm, priv->backend.cancellation());
  priv->fresh = false;
}

static GstBuffer* pcm_buffer(std::span<const float> pcm) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, pcm.size() * sizeof(float), nullptr);
  gst_buffer_fill(buffer, 0, pcm.data(), pcm.size() * sizeof(float));
  return buffer;
}

// `expected`: where it comes too late, that has been told by who lost or delayed it.
static GstFlowReturn push(GstMimiDec* self, std::span<const float> pcm, bool expected = false) {
  GstMimiDecPrivate* priv = self->priv;
  GstAudioDecoder* decoder = GST_AUDIO_DECODER(self);
  if (pcm.empty()) return gst_audio_decoder_finish_frame(decoder, nullptr, 1);
  priv->backend.figures().change([](auto& counters) { ++counters.frames_out; });
  if (const GstClockTime pts = priv->timeline.next(); GST_CLOCK_TIME_IS_VALID(pts) && !expected) {
    priv->backend.check_late(decoder->input_segment, pts,
                             static_cast<GstClockTime>(priv->backend.context().codec().frame_ns));
  }
  priv->timeline.advance(pcm.size());
  return gst_audio_decoder_finish_frame(decoder, pcm_buffer(pcm), 1);
}

// Sound for `duration` without codes.
static GstFlowReturn conceal(GstMimiDec* self, GstClockTime pts, GstClockTime duration) {
  GstMimiDecPrivate* priv = self->priv;
  const moshi::CodecInfo& codec = priv->backend.context().codec();
  const auto samples = gst_util_uint64_scale_round(std::min(duration, max_conceal),
                                                   static_cast<guint64>(codec.sample_rate), GST_SECOND);
  std::vector<float> pcm(static_cast<size_t>(samples));
  gstmoshi::Concealment::Repeat repeat;
  if (!priv->last_codes.empty()) {
    repeat = [priv](std::span<float> frame) { step(priv, priv->last_codes, frame); };
  }
  priv->concealment.fill(pcm, repeat);
  const auto frame_size = static_cast<guint64>(codec.frame_size);
  const guint64 frames = (samples + frame_size - 1) / frame_size;
  priv->backend.figures().change([frames](auto& counters) { counters.frames_concealed += frames; });
  if (priv->timeline.jump(pts) != 0 || !GST_CLOCK_TIME_IS_VALID(priv->timeline.next())) {
    priv->timeline.restart(pts);
  }
  return push(self, pcm, true);
}

// A live frame whose time has passed to its end: nobody can play it in time.
static bool is_too_late(GstMimiDec* self) {
  GstMimiDecPrivate* priv = self->priv;
  const GstClockTime pts = priv->timeline.next();
  return GST_CLOCK_TIME_IS_VALID(pts) && priv->backend.lateness(GST_AUDIO_DECODER(self)->input_segment, pts) >
                                             priv->backend.context().codec().frame_ns;
}

static GstFlowReturn decode(GstMimiDec* self, GstBuffer* buffer) {
  GstMimiDecPrivate* priv = self->priv;
  const moshi::CodecInfo& codec = priv->backend.context().codec();
  const auto codes =
      gstmoshi::read_codes(buffer, priv->stream.codebooks, priv->used_codebooks, codec.cardinality);
  const GstFlowReturn flow = ensure_session(priv);
  if (flow != GST_FLOW_OK) return flow;

  const GstClockTime pts = GST_BUFFER_PTS(buffer);
  const bool jumped = priv->timeline.jump(pts) != 0;
  if (jumped || !GST_CLOCK_TIME_IS_VALID(priv->timeline.next())) priv->timeline.restart(pts);
  priv->backend.figures().change([jumped](auto& counters) {
    ++counters.frames_in;
    if (jumped) ++counters.resyncs;
  });

  std::vector<float> pcm(static_cast<size_t>(codec.frame_size));
  step(priv, codes, pcm);
  priv->last_codes = codes;
  const bool decode_only = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DECODE_ONLY);
  if (decode_only || is_too_late(self)) {
    GST_DEBUG_OBJECT(self, "frame of %" GST_TIME_FORMAT " came too late", GST_TIME_ARGS(pts));
    priv->concealment.silence(pcm);
    priv->backend.figures().change([](auto& counters) {
      ++counters.frames_dropped;
      ++counters.frames_too_late;
      ++counters.frames_concealed;
    });
  } else {
    priv->concealment.join(pcm);
  }
  size_t start = 0;
  size_t end = 0;
  if (const auto* clip = gst_buffer_get_audio_clipping_meta(buffer);
      clip != nullptr && clip->format == GST_FORMAT_DEFAULT) {
    start = std::min<size_t>(clip->start, pcm.size());
    end = std::min<size_t>(clip->end, pcm.size() - start);
  }
  return push(self, std::span(pcm).subspan(start, pcm.size() - start - end), decode_only);
}

static GstFlowReturn gst_mimi_dec_handle_frame(GstAudioDecoder* decoder, GstBuffer* buffer) {
  if (buffer == nullptr) return GST_FLOW_OK;  // Nothing is held back.
  return gstmoshi::guarded(GST_ELEMENT(decoder), GST_FLOW_ERROR, [&] {
    GstMimiDec* self = GST_MIMI_DEC(decoder);
    if (gst_buffer_get_size(buffer) > 0) return decode(self, buffer);
    return conceal(self, GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer));
  });
}

static gboolean gst_mimi_dec_transform_meta(GstAudioDecoder* decoder, GstBuffer* output, GstMeta* meta,
                                            GstBuffer* input) {
  // Clipping has been done.
  if (meta->info->api == GST_AUDIO_CLIPPING_META_API_TYPE) return FALSE;
  return GST_AUDIO_DECODER_CLASS(parent_class)->transform_meta(decoder, output, meta, input);
}

// Conceals a gap; what is too long for that is passed on as a gap. Takes the event.
static gboolean handle_gap(GstMimiDec* self, GstEvent* event) {
  GstAudioDecoder* decoder = GST_AUDIO_DECODER(self);
  const GstAudioDecoderClass* base = GST_AUDIO_DECODER_CLASS(parent_class);
  GstClockTime start = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(event, &start, &duration);
  if (!GST_CLOCK_TIME_IS_VALID(duration) || duration == 0) {
    gst_event_unref(event);
    return TRUE;
  }
  if (self->priv->stream.codebooks == 0) {  // Before the caps the base class would make a format up.
    const GstAudioInfo info = output_info(self->priv);
    gst_audio_decoder_set_output_format(decoder, &info);
  }
  const gboolean done = base->sink_event(decoder, event);
  if (!done || duration <= max_conceal) return done;
  return gst_pad_push_event(GST_AUDIO_DECODER_SRC_PAD(decoder),
                            gst_event_new_gap(start + max_conceal, duration - max_conceal));
}

static gboolean gst_mimi_dec_sink_event(GstAudioDecoder* decoder, GstEvent* event) {
  return gstmoshi::guarded(GST_ELEMENT(decoder), FALSE, [&] {
    GstMimiDecPrivate* priv = PRIV(decoder);
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_GAP:
        return handle_gap(GST_MIMI_DEC(decoder), event);
      case GST_EVENT_FLUSH_START:
        priv->backend.unblock();
        break;
      case GST_EVENT_FLUSH_STOP:
        priv->backend.rearm();
        forget_stream(priv);
        break;
      case GST_EVENT_SEGMENT:
        priv->timeline.reset(priv->backend.context().codec().sample_rate);
        break;
      default:
        break;
    }
    return GST_AUDIO_DECODER_CLASS(parent_class)->sink_event(decoder, event);
  });
}

static gboolean gst_mimi_dec_src_query(GstAudioDecoder* decoder, GstQuery* query) {
  const gboolean answered = GST_AUDIO_DECODER_CLASS(parent_class)->src_query(decoder, query);
  if (answered && GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) PRIV(decoder)->backend.note_latency(query);
  return answered;
}

static void gst_mimi_dec_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  GstMimiDecPrivate* priv = PRIV(object);
  if (priv->backend.set_property(id, value)) return;
  if (id == PROP_CODEBOOKS) {
    priv->codebooks = g_value_get_int(value);
  } else {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_mimi_dec_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  const GstMimiDecPrivate* priv = PRIV(object);
  if (priv->backend.get_property(id, value)) return;
  if (id == PROP_CODEBOOKS) {
    g_value_set_int(value, priv->codebooks);
  } else {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_mimi_dec_finalize(GObject* object) {
  delete PRIV(object);
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_mimi_dec_class_init(GstMimiDecClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* decoder_class = GST_AUDIO_DECODER_CLASS(klass);

  object_class->set_property = gst_mimi_dec_set_property;
  object_class->get_property = gst_mimi_dec_get_property;
  object_class->finalize = gst_mimi_dec_finalize;
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_mimi_dec_change_state);
  element_class->set_context = GST_DEBUG_FUNCPTR(gst_mimi_dec_set_context);
  decoder_class->start = GST_DEBUG_FUNCPTR(gst_mimi_dec_start);
  decoder_class->stop = GST_DEBUG_FUNCPTR(gst_mimi_dec_stop);
  decoder_class->getcaps = GST_DEBUG_FUNCPTR(gst_mimi_dec_getcaps);
  decoder_class->set_format = GST_DEBUG_FUNCPTR(gst_mimi_dec_set_format);
  decoder_class->handle_frame = GST_DEBUG_FUNCPTR(gst_mimi_dec_handle_frame);
  decoder_class->transform_meta = GST_DEBUG_FUNCPTR(gst_mimi_dec_transform_meta);
  decoder_class->sink_event = GST_DEBUG_FUNCPTR(gst_mimi_dec_sink_event);
  decoder_class->src_query = GST_DEBUG_FUNCPTR(gst_mimi_dec_src_query);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Mimi decoder", "Codec/Decoder/Audio",
                                        "Decodes codes of the Mimi neural codec to speech",
                                        "the gst-moshi authors");

  gstmoshi::Backend::install_properties(object_class);
  g_object_class_install_property(
      object_class, PROP_CODEBOOKS,
      g_param_spec_int(
          "codebooks", "Codebooks", "Codebooks to decode, the first of the stream; 0: all of them", 0, 32,
          DEFAULT_CODEBOOKS,
          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)));

  GST_DEBUG_CATEGORY_INIT(mimidec_debug, "mimidec", 0, "Mimi decoder");
}

static void gst_mimi_dec_init(GstMimiDec* self) {
  self->priv = new GstMimiDecPrivate(self);
  GstAudioDecoder* decoder = GST_AUDIO_DECODER(self);
  gst_audio_decoder_set_needs_format(decoder, TRUE);
  gst_audio_decoder_set_use_default_pad_acceptcaps(decoder, TRUE);
  GST_PAD_SET_ACCEPT_TEMPLATE(GST_AUDIO_DECODER_SINK_PAD(decoder));
  GST_PAD_SET_ACCEPT_INTERSECT(GST_AUDIO_DECODER_SINK_PAD(decoder));  // Fields may be missing.
  gst_audio_decoder_set_plc(decoder, TRUE);
  // Time stamps are counted in samples; a jump beyond the tolerance starts the count anew.
  gst_audio_decoder_set_tolerance(decoder, gstmoshi::Timeline::tolerance);
}
