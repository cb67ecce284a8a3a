// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "transcript.h"

#include <cmath>

Transcript::Transcript(int64_t frame_ns, bool announced, int64_t shift_ns,
                       std::function<void(const moshi::Word&)> on_word)
    : spoken_(frame_ns),
      announced_words_(frame_ns),
      announced_(announced),
      shift_ns_(shift_ns),
      on_word_(std::move(on_word)) {}

void Transcript::listen(Pipeline& pipeline, GstElement* element) {
  struct Context {
    Pipeline* pipeline;
    Transcript* transcript;
  };
  const auto probe = [](GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* context = static_cast<Context*>(data);
    try {
      context->transcript->push(*info);
    } catch (...) {
      context->pipeline->abort_with_current_exception();
    }
    return GST_PAD_PROBE_OK;
  };
  const auto types =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
  gst_pad_add_probe(static_pad(element, "sink").get(), types, probe, new Context{&pipeline, this},
                    [](gpointer data) { delete static_cast<Context*>(data); });
}

void Transcript::push(const GstPadProbeInfo& info) {
  if ((info.type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
    GstBuffer* buffer = GST_BUFFER(info.data);
    std::string piece(gst_buffer_get_size(buffer), '\0');
    gst_buffer_extract(buffer, 0, piece.data(), piece.size());
    push_piece(static_cast<int64_t>(GST_BUFFER_PTS(buffer)), piece);
    return;
  }
  GstEvent* event = GST_EVENT(info.data);
  if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
    push_gap(event);
  } else if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
    add(announced_ ? announced_words_.finish() : spoken_.finish());
  }
}

void Transcript::push_piece(int64_t pts_ns, const std::string& piece) {
  if (pts_ns < shift_ns_) return;
  add(announced_ ? announced_words_.push(pts_ns, piece) : spoken_.push(pts_ns, piece));
}

void Transcript::push_gap(GstEvent* event) {
  GstClockTime pts = 0;
  gst_event_parse_gap(event, &pts, nullptr);
  const auto pts_ns = static_cast<int64_t>(pts);
  gboolean word_start = FALSE;
  gst_structure_get_boolean(gst_event_get_structure(event), "word-start", &word_start);
  if (announced_ && word_start != FALSE && pts_ns >= shift_ns_) {
    add(announced_words_.announce(pts_ns));
  } else {
    push_piece(pts_ns, "");
  }
}

void Transcript::add(std::optional<moshi::Word> word) {
  if (!word) return;
  word->start_ns = word->start_ns - shift_ns_;
  word->end_ns = word->end_ns - shift_ns_;
  on_word_(*word);
  words_.push_back(std::move(*word));
}

nlohmann::ordered_json to_json(const moshi::Word& word) {
  // Whole milliseconds, free of binary fractions.
  const auto seconds = [](int64_t ns) {
    return static_cast<double>(std::llround(static_cast<double>(ns) * 1e-6)) / 1000.0;
  };
  return {{"start", seconds(word.start_ns)}, {"end", seconds(word.end_ns)}, {"text", word.text}};
}

std::string to_jsonl(const std::vector<moshi::Word>& words) {
  std::string text;
  for (const moshi::Word& word : words) text += to_json(word).dump() + '\n';
  return text;
}
