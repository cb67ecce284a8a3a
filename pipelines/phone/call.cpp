// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "call.h"

namespace {

/// What a telephone sends at a time, in nanoseconds.
constexpr int kPacketNs = 20'000'000;

std::string raw(const char* format, int rate) {
  return std::string("audio/x-raw, layout=interleaved, channels=1, format=") + format +
         ", rate=" + std::to_string(rate);
}

/// Stops the pipeline when it goes, before what its threads use.
class Ending {
 public:
  Ending(Pipeline& pipeline, GCancellable* end) : pipeline_(pipeline), end_(end) {}
  ~Ending() {
    g_cancellable_cancel(end_);
    pipeline_.stop();
  }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

 private:
  Pipeline& pipeline_;
  GCancellable* end_;
};

GstElement* add_model(Pipeline& pipeline, const PhoneOptions& options, uint64_t seed) {
  GstElement* model = add_language_model(pipeline, options, options, seed, options.allow_slow);
  set_property(model, "max-sessions", std::to_string(options.calls));
  return model;
}

}  // namespace

Call::Call(Phone& phone, CallName name, GCancellable* end)
    : phone_(phone), name_(std::move(name)), end_(end), pipeline_(call_prefix(name_.number)) {
  phone.log.begin(name_);
}

GstElement* Call::add_hearing(int jitter_ms) {
  // audiomixer keeps time where nothing comes: telephones may be silent by sending nothing.
  return pipeline_.add_bin(
      "audioconvert ! audioresample ! audiomixer start-time-selection=first discont-wait=0 "
      "output-buffer-duration=" +
      std::to_string(kPacketNs) + " latency=" + std::to_string(jitter_ms) + "000000 ! capsfilter caps=\"" +
      raw("F32LE", phone_.context.codec().sample_rate) + '"');
}

GstElement* Call::add_speech(int rate) {
  // audiomixer makes packets here, which begin with the call; without dither, so that silence is silence.
  return pipeline_.add_bin(
      "audioconvert dithering=none ! audioresample ! audiomixer "
      "output-buffer-duration=" +
      std::to_string(kPacketNs) + " ! capsfilter caps=\"" + raw("S16LE", rate) + '"');
}

void Call::converse(const Line& line) {
  const PhoneOptions& options = phone_.options;
  const moshi::CodecInfo& codec = phone_.context.codec();
  const uint64_t seed = choose_seed(options.seed);
  GstElement* model = add_model(pipeline_, options, seed);
  if (phone_.listener) phone_.listener(model);
  GstElement* hearing = add_hearing(line.jitter_ms);
  GstElement* speech = add_speech(line.rate);
  pipeline_.link({line.source, hearing});
  pipeline_.link({speech, line.sink});
  link_conversation(pipeline_, options, hearing, model, speech);

  Transcript transcript(codec.frame_ns, false, 0,
                        [this](const moshi::Word& word) { phone_.log.word(name_, word); });
  add_transcript(pipeline_, model, transcript, true);
  const Ending ending(pipeline_, end_);
  Progress progress(true);
  pipeline_.run_until(progress, [this] { return g_cancellable_is_cancelled(end_) != 0; });

  nlohmann::ordered_json result;
  add_result(result, model, options.greedy ? 0 : seed, codec.frame_ns, transcript.words());
  phone_.log.end(name_, result);
}

void rehearse(PhoneOptions options, const moshi::CodecInfo& codec, Progress& progress) {
  options.quiet = true;  // Its frames wait for the model: they are late.
  Pipeline pipeline;
  GstElement* silence = pipeline.add_bin(
      "audiotestsrc is-live=true wave=silence num-buffers=2 samplesperbuffer=" +
      std::to_string(codec.frame_size) + " ! capsfilter caps=\"" + raw("F32LE", codec.sample_rate) + '"');
  GstElement* encoder = pipeline.add_model_element("mimienc", options);
  GstElement* model = add_model(pipeline, options, options.seed);
  pipeline.link(
      {silence, encoder, model, pipeline.add_model_element("mimidec", options), pipeline.add("fakesink")});
  pipeline.run(progress);
}
