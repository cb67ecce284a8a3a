// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

// clang-format off
/**
 * SECTION:element-moshilm
 * @title: moshilm
 * @see_also: mimienc, mimidec
 *
 * The language model: codes of the user's speech go in, codes of the model's own speech come out, one frame
 * for each, and the text of what it says on the request pad `text_src`: a buffer for each piece of a word,
 * GAP events for frames without text. Models that only transcribe have gaps on `src` and their words on
 * `text_src`.
 *
 * A frame of output carries the time of the input frame whose step made it. The first max_delay - 1 frames of
 * a conversation give no output.
 *
 * In a live pipeline a conversation goes on when its input does not: the model hears silence. Frames that
 * have to wait are handled as #GstMoshiLm:late-policy says; files always wait. A conversation longer than the
 * model's context goes on as #GstMoshiLm:context-policy says. The model is timed before its first live
 * conversation; where it cannot keep up, such conversations are refused unless #GstMoshiLm:allow-slow is set.
 *
 * The custom serialized event `moshi-end-of-input` tells a translating model (Hibiki) that the speech has
 * ended; the element ends the stream when the translation is complete.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc ! moshilm ! mimidec ! audioconvert ! wavenc ! filesink location=reply.wav
 * ]| Writes the model's spoken reply to a recording.
 * |[
 * gst-launch-1.0 filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc ! moshilm name=lm lm.src ! fakesink lm.text_src ! filesink location=reply.txt
 * ]| Writes what the model says as text.
 */
// clang-format on

#include "gstmoshilm.h"

#include <moshi/moshi.h>

#include <memory>

#include "backend.h"
#include "elements.h"
#include "guarded.h"
#include "lm_properties.h"
#include "lm_worker.h"
#include "mimi_caps.h"
#include "object_lock.h"

GST_DEBUG_CATEGORY(moshilm_debug);
#define GST_CAT_DEFAULT moshilm_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(MIMI_CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(MIMI_CAPS));
static GstStaticPadTemplate text_template = GST_STATIC_PAD_TEMPLATE(
    "text_src", GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS("text/x-raw, format = (string) utf8"));

#define ASSUMED_LATENCY_MS 40  // Until it is measured.

struct GstMoshiLmPrivate {
  GstMoshiLmPrivate(GstMoshiLm* self, GstPad* sink, GstPad* src);

  GstPad* sinkpad;  // The element's.
  GstPad* srcpad;
  gstmoshi::Backend backend;
  gstmoshi::LmProperties properties;
  gstmoshi::LmWorker worker;
  std::shared_ptr<gstmoshi::TextOutput> text;  // Under the object lock.
};

#define gst_moshi_lm_parent_class parent_class
G_DEFINE_TYPE(GstMoshiLm, gst_moshi_lm, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(moshilm, "moshilm", GST_RANK_NONE, gst_moshi_lm_get_type())

#define GST_MOSHI_LM(object) (reinterpret_cast<GstMoshiLm*>(object))
#define PRIV(object) (GST_MOSHI_LM(object)->priv)

GstMoshiLmPrivate::GstMoshiLmPrivate(GstMoshiLm* self, GstPad* sink, GstPad* src)
    : sinkpad(sink),
      srcpad(src),
      backend(GST_ELEMENT(self), {ASSUMED_LATENCY_MS, &moshi::FrameFigures::step_ms_p99},
              [self](GstClockTime) {
                gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
              }),
      properties(GST_ELEMENT(self)),
      worker(backend, GST_ELEMENT(self), sink, src) {}

static std::shared_ptr<gstmoshi::TextOutput> text_of(gpointer element) {
  const gstmoshi::ObjectLock lock(element);
  return PRIV(element)->text;
}

// ------------------------------------------------------------------------------------------ states

static gboolean gst_moshi_lm_open(GstElement* element) {
  return gstmoshi::guarded(element, FALSE, [&] {
    GstMoshiLmPrivate* priv = PRIV(element);
    moshi::LmOptions options = priv->properties.load_options();
    options.text = text_of(element) != nullptr;
    priv->backend.open("language model", [options](auto& context, const auto& progress, const auto& cancel) {
      context.load_lm(options, progress, &cancel);
    });
    return TRUE;
  });
}

static gboolean gst_moshi_lm_start(GstElement* element) {
  return gstmoshi::guarded(element, FALSE, [&] {
    GstMoshiLmPrivate* priv = PRIV(element);
    priv->backend.start();
    priv->worker.set_settings(priv->properties.settings(priv->backend.context().lm()));
    priv->worker.forget_stream();
    return TRUE;
  });
}

// Wakes the tasks and whoever waits for them.
static void unblock(GstElement* element) {
  GstMoshiLmPrivate* priv = PRIV(element);
  priv->backend.unblock();
  priv->worker.queue().set_flushing(true);
  if (const auto text = text_of(element)) text->set_flushing(true);
}

static GstStateChangeReturn gst_moshi_lm_change_state(GstElement* element, GstStateChange transition) {
  GstMoshiLmPrivate* priv = PRIV(element);
  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      if (!gst_moshi_lm_open(element)) return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (!gst_moshi_lm_start(element)) return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      unblock(element);
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      priv->worker.set_playing(false);
      break;
    default:
      break;
  }
  const GstStateChangeReturn result = GST_ELEMENT_CLASS(parent_class)->change_state(element, transition);
  switch (transition) {
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      priv->worker.set_playing(true);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      priv->worker.close();
      break;
    case GST_STATE_CHANGE_READY_TO_NULL:
      priv->backend.close();
      break;
    default:
      break;
  }
  return result;
}

static void gst_moshi_lm_set_context(GstElement* element, GstContext* context) {
  PRIV(element)->backend.set_context(context);
  GST_ELEMENT_CLASS(parent_class)->set_context(element, context);
}

// -------------------------------------------------------------------------------------------- pads

static void task(gpointer element) {
  GstMoshiLmPrivate* priv = PRIV(element);
  if (!priv->worker.step(priv->properties.live_policy())) gst_pad_pause_task(priv->srcpad);
}

static gboolean gst_moshi_lm_src_activate(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  PRIV(parent)->worker.queue().set_flushing(active == FALSE);
  return active ? gst_pad_start_task(pad, task, parent, nullptr) : gst_pad_stop_task(pad);
}

static GstFlowReturn gst_moshi_lm_chain(GstPad* /*pad*/, GstObject* parent, GstBuffer* buffer) {
  const GstFlowReturn flow = gstmoshi::guarded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] {
    GstMoshiLmPrivate* priv = PRIV(parent);
    return priv->worker.chain(buffer, priv->properties.late_policy(), priv->properties.max_backlog());
  });
  gst_buffer_unref(buffer);
  return flow;
}

static void flush_start(GstElement* element, GstEvent* event) {
  GstMoshiLmPrivate* priv = PRIV(element);
  const auto text = text_of(element);
  if (text) gst_pad_push_event(text->pad(), gst_event_ref(event));
  gst_pad_push_event(priv->srcpad, event);
  unblock(element);
  gst_pad_pause_task(priv->srcpad);
  if (text) gst_pad_pause_task(text->pad());
}

static void flush_stop(GstElement* element, GstEvent* event) {
  GstMoshiLmPrivate* priv = PRIV(element);
  const auto text = text_of(element);
  if (text) gst_pad_push_event(text->pad(), gst_event_ref(event));
  gst_pad_push_event(priv->srcpad, event);
  priv->worker.forget_stream();
  priv->backend.rearm();
  if (text) text->start();
  gst_moshi_lm_src_activate(priv->srcpad, GST_OBJECT(element), GST_PAD_MODE_PUSH, TRUE);
}

static gboolean gst_moshi_lm_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  return gstmoshi::guarded(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    GstMoshiLmPrivate* priv = PRIV(parent);
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_FLUSH_START:
        flush_start(GST_ELEMENT(parent), event);
        return TRUE;
      case GST_EVENT_FLUSH_STOP:
        flush_stop(GST_ELEMENT(parent), event);
        return TRUE;
      case GST_EVENT_CAPS: {
        const gstmoshi::EventPtr owned(event);
        GstCaps* caps = nullptr;
        gst_event_parse_caps(event, &caps);
        priv->worker.set_input(caps);
        return priv->worker.queue_event(gst_event_ref(event));
      }
      default:
        if ((gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_SERIALIZED) == 0)
          return gst_pad_event_default(pad, parent, event);
        return priv->worker.queue_event(event);
    }
  });
}

static gboolean gst_moshi_lm_sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  GstMoshiLmPrivate* priv = PRIV(parent);
  if (GST_QUERY_TYPE(query) != GST_QUERY_CAPS) return gst_pad_query_default(pad, parent, query);
  GstCaps* filter = nullptr;
  gst_query_parse_caps(query, &filter);
  const auto context = priv->backend.find_context();
  GstCaps* caps = gstmoshi::mimi_sink_caps(pad, context ? &context->codec() : nullptr,
                                           context ? context->lm().user_codebooks : 1, filter);
  gst_query_set_caps_result(query, caps);
  gst_caps_unref(caps);
  return TRUE;
}

static gboolean gst_moshi_lm_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  GstMoshiLmPrivate* priv = PRIV(parent);
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(pad, parent, query);
  if (!gst_pad_peer_query(priv->sinkpad, query)) return FALSE;
  gboolean live = FALSE;
  GstClockTime minimum = 0;
  GstClockTime maximum = 0;
  gst_query_parse_latency(query, &live, &minimum, &maximum);
  priv->worker.set_upstream({live != FALSE, minimum});
  const GstClockTime budget = priv->backend.budget();
  if (GST_CLOCK_TIME_IS_VALID(maximum)) maximum += budget;
  gst_query_set_latency(query, live, minimum + budget, maximum);
  priv->backend.note_latency(query);
  return TRUE;
}

static GstPad* gst_moshi_lm_request_new_pad(GstElement* element, GstPadTemplate* templ, const gchar* /*name*/,
                                            const GstCaps* /*caps*/) {
  GstMoshiLmPrivate* priv = PRIV(element);
  if (text_of(element)) {
    GST_WARNING_OBJECT(element, "there is one text pad, and it exists already");
    return nullptr;
  }
  GstPad* pad = gst_pad_new_from_template(templ, "text_src");
  const auto text = std::make_shared<gstmoshi::TextOutput>(element, pad);
  gst_pad_set_query_function(pad, GST_DEBUG_FUNCPTR(gst_moshi_lm_src_query));
  gst_pad_use_fixed_caps(pad);
  {
    const gstmoshi::ObjectLock lock(element);
    priv->text = text;
  }
  if (GST_PAD_IS_ACTIVE(priv->srcpad)) gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(element, pad);
  priv->worker.set_text(text);
  return pad;
}

static void gst_moshi_lm_release_pad(GstElement* element, GstPad* pad) {
  GstMoshiLmPrivate* priv = PRIV(element);
  priv->worker.set_text(nullptr);
  const auto text = text_of(element);  // Lives until its task has ended.
  {
    const gstmoshi::ObjectLock lock(element);
    priv->text.reset();
  }
  if (text) text->set_flushing(true);
  gst_pad_set_active(pad, FALSE);
  gst_element_remove_pad(element, pad);
}

// --------------------------------------------------------------------------------------- the class

static void gst_moshi_lm_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  GstMoshiLmPrivate* priv = PRIV(object);
  if (priv->backend.set_property(id, value) || priv->properties.set(id, value)) {
    priv->worker.queue().nudge();  // The wait under way ends as the new settings say.
    return;
  }
  G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void gst_moshi_lm_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  const GstMoshiLmPrivate* priv = PRIV(object);
  if (priv->backend.get_property(id, value) || priv->properties.get(id, value)) return;
  G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void gst_moshi_lm_finalize(GObject* object) {
  delete PRIV(object);
  G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void gst_moshi_lm_class_init(GstMoshiLmClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);

  object_class->set_property = gst_moshi_lm_set_property;
  object_class->get_property = gst_moshi_lm_get_property;
  object_class->finalize = gst_moshi_lm_finalize;
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_moshi_lm_change_state);
  element_class->set_context = GST_DEBUG_FUNCPTR(gst_moshi_lm_set_context);
  element_class->request_new_pad = GST_DEBUG_FUNCPTR(gst_moshi_lm_request_new_pad);
  element_class->release_pad = GST_DEBUG_FUNCPTR(gst_moshi_lm_release_pad);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_add_static_pad_template(element_class, &text_template);
  gst_element_class_set_static_metadata(
      element_class, "Moshi language model", "Filter/Audio",
      "Answers speech with speech, as codes of the Mimi codec, and with text", "the gst-moshi authors");

  gstmoshi::Backend::install_properties(object_class);
  gstmoshi::LmProperties::install(object_class);

  GST_DEBUG_CATEGORY_INIT(moshilm_debug, "moshilm", 0, "Moshi language model");
}

static void gst_moshi_lm_init(GstMoshiLm* self) {
  GstPad* sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(sink, GST_DEBUG_FUNCPTR(gst_moshi_lm_chain));
  gst_pad_set_event_function(sink, GST_DEBUG_FUNCPTR(gst_moshi_lm_sink_event));
  gst_pad_set_query_function(sink, GST_DEBUG_FUNCPTR(gst_moshi_lm_sink_query));
  GST_PAD_SET_ACCEPT_TEMPLATE(sink);
  GST_PAD_SET_ACCEPT_INTERSECT(sink);  // Fields may be missing.
  GstPad* src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_activatemode_function(src, GST_DEBUG_FUNCPTR(gst_moshi_lm_src_activate));
  gst_pad_set_query_function(src, GST_DEBUG_FUNCPTR(gst_moshi_lm_src_query));
  gst_pad_use_fixed_caps(src);
  self->priv = new GstMoshiLmPrivate(self, sink, src);
  gst_element_add_pad(GST_ELEMENT(self), sink);
  gst_element_add_pad(GST_ELEMENT(self), src);
}
