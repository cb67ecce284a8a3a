// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "conversation.h"

#include <iomanip>
#include <random>
#include <sstream>

namespace {

/// Conditions as a structure's text, the form of moshilm's `conditions`.
std::string conditions_text(const moshi::Conditions& conditions) {
  const GstHandle<GstStructure> structure(gst_structure_new_empty("conditions"));
  for (const auto& [name, value] : conditions) {
    gst_structure_set(structure.get(), name.c_str(), G_TYPE_STRING, value.c_str(), nullptr);
  }
  return GstHandle<gchar>(gst_structure_to_string(structure.get())).get();
}

}  // namespace

uint64_t choose_seed(uint64_t wanted) {
  if (wanted != 0) return wanted;
  std::random_device entropy;
  return 1 + entropy() % 1'000'000'000U;
}

void prepare(moshi::ExecutionContext& context, const CommonOptions& options, Progress& progress) {
  moshi::LmOptions lm = lm_options(options);
  lm.text = true;
  context.load_codec(progress_handler(progress, "loading the codec"));
  context.load_lm(lm, progress_handler(progress, "loading the language model"));
  context.measure_frame();
  progress.clear();
}

GstElement* add_language_model(Pipeline& pipeline, const CommonOptions& options,
                               const SamplingOptions& sampling, uint64_t seed, bool allow_slow) {
  GstElement* model = pipeline.add_model_element("moshilm", options);
  set_property(model, "precision", options.precision);
  set_property(model, "kv-precision", options.kv_precision);
  set_property(model, "greedy", sampling.greedy ? "true" : "false");
  set_property(model, "seed", std::to_string(seed));
  set_property(model, "allow-slow", allow_slow ? "true" : "false");
  if (sampling.cfg_coef > 0) set_property(model, "cfg-coef", std::to_string(sampling.cfg_coef));
  if (!sampling.conditions.empty())
    set_property(model, "conditions", conditions_text(parse_conditions(sampling.conditions)));
  return model;
}

GstElement* link_conversation(Pipeline& pipeline, const CommonOptions& options, GstElement* source,
                              GstElement* model, GstElement* sink, bool codes) {
  GstElement* encoder = codes ? nullptr : pipeline.add_model_element("mimienc", options);
  if (codes) {
    pipeline.link({source, model});
  } else {
    pipeline.link({source, encoder, model});
  }
  if (sink == nullptr) return encoder;
  // What a slow device says in one piece is kept here until it is time, while the device goes on.
  GstElement* queue = pipeline.add_bin("queue max-size-time=0 max-size-bytes=0");
  pipeline.link({queue, sink});
  if (codes) {
    pipeline.link({model, queue});
  } else {
    pipeline.link({model, pipeline.add_model_element("mimidec", options), queue});
  }
  return encoder;
}

void add_transcript(Pipeline& pipeline, GstElement* model, Transcript& transcript, bool live) {
  // Text comes seldom: its sink must not hold up the start.
  GstElement* sink = pipeline.add("fakesink");
  g_object_set(sink, "async", FALSE, "sync", live ? TRUE : FALSE, nullptr);
  if (gst_element_link_pads(model, "text_src", sink, "sink") == 0) {
    throw Failure(Status::Other,
                  "expected moshilm to have a pad text_src, found none: tool and plugin differ");
  }
  transcript.listen(pipeline, sink);
}

std::string to_text(const moshi::Word& word) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << std::setw(8) << static_cast<double>(word.start_ns) * 1e-9
       << std::setw(8) << static_cast<double>(word.end_ns) * 1e-9 << "  " << word.text;
  return text.str();
}

void add_result(nlohmann::ordered_json& result, GstElement* model, uint64_t seed, int64_t frame_ns,
                const std::vector<moshi::Word>& words) {
  GstStructure* raw_stats = nullptr;
  g_object_get(model, "stats", &raw_stats, nullptr);
  const GstHandle<GstStructure> stats(raw_stats);
  guint64 frames_in = 0;
  guint64 frames_out = 0;
  gst_structure_get_uint64(stats.get(), "frames-in", &frames_in);
  gst_structure_get_uint64(stats.get(), "frames-out", &frames_out);
  const auto text = [&stats](const char* name) {
    const gchar* value = gst_structure_get_string(stats.get(), name);
    return std::string(value != nullptr ? value : "");
  };
  result["frames_in"] = frames_in;
  result["frames_out"] = frames_out;
  result["seconds"] = static_cast<double>(frames_out) * static_cast<double>(frame_ns) * 1e-9;
  result["device"] = text("device");
  result["precision"] = text("precision");
  result["seed"] = seed;
  result["words"] = nlohmann::ordered_json::array();
  for (const moshi::Word& word : words) result["words"].push_back(to_json(word));
}
