// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "transcript.h"

Transcript::Transcript(int64_t frame_ns, int64_t shift_ns, std::function<void(const moshi::Word&)> on_word)
    : assembler_(frame_ns), shift_ns_(shift_ns), on_word_(std::move(on_word)) {}

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
    add(assembler_.push(static_cast<int64_t>(GST_BUFFER_PTS(buffer)), piece));
    return;
  }
  GstEvent* event = GST_EVENT(info.data);
  if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
    GstClockTime pts = 0;
    gst_event_parse_gap(event, &pts, nullptr);
    add(assembler_.push(static_cast<int64_t>(pts), ""));
  } else if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
    add(assembler_.finish());
  }
}

void Transcript::add(std::optional<moshi::Word> word) {
  if (!word) return;
  word->start_ns = std::max<int64_t>(0, word->start_ns - shift_ns_);
  word->end_ns = std::max<int64_t>(0, word->end_ns - shift_ns_);
  on_word_(*word);
  words_.push_back(std::move(*word));
}

nlohmann::ordered_json to_json(const moshi::Word& word) {
  // Whole milliseconds, free of binary fractions.
  const auto seconds = [](int64_t ns) { return static_cast<double>((ns + 500'000) / 1'000'000) / 1000.0; };
  return {{"start", seconds(word.start_ns)}, {"end", seconds(word.end_ns)}, {"text", word.text}};
}
