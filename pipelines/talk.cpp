// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi talk`: speech ! mimienc ! moshilm ! mimidec ! speech, from file to file or live, here or over
// RTP.
#include <iostream>

#include "audio_file.h"
#include "conversation.h"
#include "end_of_input.h"
#include "live_audio.h"
#include "output_file.h"
#include "rtp_audio.h"
#include "session_picture.h"

namespace {

struct TalkOptions : CommonOptions, SamplingOptions {
  std::string input;
  std::string output;
  std::string transcript;
  std::string picture;
  bool allow_slow = false;
  RtpOptions rtp;
  [[nodiscard]] bool live() const { return input.empty(); }
  [[nodiscard]] bool over_rtp() const { return !rtp.format.empty(); }
};

void check_usage(const TalkOptions& options, const moshi::LmInfo& lm) {
  const bool speaks = lm.dep_q > 0;
  if (!speaks && !options.output.empty()) {
    throw Failure(Status::Usage, "this model writes text only: expected no OUT.wav, found " + options.output +
                                     "; give --transcript FILE instead");
  }
  if (!speaks && !options.live() && options.transcript.empty()) {
    throw Failure(Status::Usage, "this model writes text only: expected --transcript FILE, found none");
  }
  if (speaks && !options.live() && options.output.empty()) {
    throw Failure(Status::Usage, "expected a file to write after " + options.input +
                                     ", found none: gst-moshi talk IN OUT.wav");
  }
  if (!speaks && options.over_rtp()) {
    throw Failure(Status::Usage, "this model writes text only: expected no --rtp, found --rtp " +
                                     options.rtp.format + "; gst-moshi talk without it hears the microphone");
  }
  if (options.rtp.codes() && !options.picture.empty()) {
    throw Failure(Status::Usage, "--picture: expected speech (--rtp opus), found --rtp mimi");
  }
}

/// Adds what the user's speech comes from.
GstElement* add_source(Pipeline& pipeline, const TalkOptions& options, const moshi::CodecInfo& codec,
                       const moshi::LmInfo& lm) {
  if (options.over_rtp()) return add_rtp_user(pipeline, options.rtp, codec);
  if (options.live()) return add_microphone(pipeline, codec, lm.dep_q > 0);
  return add_audio_source(pipeline, options.input, codec.sample_rate,
                          {.silence = lm.audio_silence_prefix_seconds});
}

/// Adds where the reply goes; `speech`: the file to write, if any.
GstElement* add_sink(Pipeline& pipeline, const TalkOptions& options, const OutputFile* speech) {
  if (options.over_rtp()) return add_rtp_sink(pipeline, options.rtp);
  if (options.live()) return add_loudspeaker(pipeline);
  return add_wav_sink(pipeline, speech->temporary(), options.output, "S16LE");
}

nlohmann::ordered_json result_of(const TalkOptions& options, GstElement* model, uint64_t seed,
                                 int64_t frame_ns, const std::vector<moshi::Word>& words) {
  nlohmann::ordered_json result = {{"input", options.input},
                                   {"output", options.output},
                                   {"transcript", options.transcript},
                                   {"picture", options.picture}};
  add_result(result, model, options.greedy ? 0 : seed, frame_ns, words);
  return result;
}

void run(const TalkOptions& options) {
  const auto context = acquire_context(options);
  const moshi::CodecInfo& codec = context->codec();
  const moshi::LmInfo& lm = context->lm();
  check_usage(options, lm);
  const bool speaks = lm.dep_q > 0;
  const uint64_t seed = choose_seed(options.seed);

  std::unique_ptr<OutputFile> speech;
  std::unique_ptr<OutputFile> words_file;
  std::unique_ptr<SessionPicture> picture;
  Progress progress(options.quiet);
  if (options.live()) prepare(*context, options, progress);
  Pipeline pipeline;
  GstElement* source = add_source(pipeline, options, codec, lm);
  if (!options.output.empty()) speech = std::make_unique<OutputFile>(options.output);
  if (!options.transcript.empty()) words_file = std::make_unique<OutputFile>(options.transcript);
  if (!options.picture.empty()) {
    picture = std::make_unique<SessionPicture>(options.picture, options.input, codec.sample_rate,
                                               options.live() ? 0 : lm.audio_silence_prefix_seconds);
  }

  GstElement* model = add_language_model(pipeline, options, options, seed, options.allow_slow);
  GstElement* sink = speaks ? add_sink(pipeline, options, speech.get()) : nullptr;
  GstElement* encoder = link_conversation(pipeline, options, source, model, sink, options.rtp.codes());
  if (picture) picture->question().listen(pipeline, encoder);
  if (picture && speaks) picture->reply().listen(pipeline, sink);

  const double lag = lm.audio_delay_seconds + lm.audio_silence_prefix_seconds;
  Transcript transcript(codec.frame_ns, lm.model_type == "stt", static_cast<int64_t>(lag * 1e9),
                        [&](const moshi::Word& word) {
                          if (options.quiet || options.json) return;
                          progress.clear();
                          std::cout << to_text(word) << std::endl;
                        });
  add_transcript(pipeline, model, transcript, options.live());
  if (!options.live()) finish_input(encoder, codec, lm);

  pipeline.run(progress, options.live());
  const auto result = result_of(options, model, seed, codec.frame_ns, transcript.words());
  if (!options.live() && result["frames_in"] == 0) {
    throw Failure(Status::BadFile, options.input + ": expected speech, found no sound at all");
  }
  if (words_file) words_file->write(to_jsonl(transcript.words()));
  if (picture) picture->write(transcript.words());
  if (speech) speech->commit();
  if (words_file) words_file->commit();
  if (picture) picture->commit();
  if (options.json) print_result(result);
}

}  // namespace

void add_talk(CLI::App& app) {
  auto options = std::make_shared<TalkOptions>();
  auto* command = app.add_subcommand("talk", "Speech in, the model's spoken reply and its words out");
  command->add_option("IN", options->input, "Any audio GStreamer decodes (default: the microphone)")
      ->type_name("");
  command->add_option("OUT.wav", options->output, "The reply (default: the loudspeaker)")->type_name("");
  command->add_option("--transcript", options->transcript, "File for the words, a line of JSON each")
      ->type_name("FILE");
  command
      ->add_option("--picture", options->picture,
                   "File for both sides' waveforms with the words under them, as SVG; IN's words come from a "
                   "transcript of its name (question.wav: question.jsonl)")
      ->type_name("FILE");
  command->add_flag("--allow-slow", options->allow_slow,
                    "Talk live even where a frame takes longer than it lasts, with gaps");
  auto* rtp = command
                  ->add_option("--rtp", options->rtp.format,
                               "Talk over RTP instead: mimi (codes, docs/rtp.md) or opus")
                  ->check(CLI::IsMember({"mimi", "opus"}))
                  ->excludes("IN");
  auto* listen = command->add_option("--listen", options->rtp.port, "RTP: UDP port to receive at")
                     ->check(CLI::Range(1, 65535))
                     ->capture_default_str();
  auto* send = command->add_option("--send", options->rtp.peer, "RTP: where to send the reply")
                   ->check(CLI::Validator(check_peer, ""))
                   ->type_name("HOST:PORT");
  rtp->needs(send);
  listen->needs(rtp);
  send->needs(rtp);
  add_rtp_options(*command, options->rtp);
  add_sampling_options(*command, *options);
  add_common_options(*command, *options);
  command->footer(
      "Examples:\n"
      "  gst-moshi talk question.wav reply.wav --transcript reply.jsonl\n"
      "  gst-moshi talk --model kyutai/moshiko-pytorch-bf16          (headphones, please)\n"
      "  gst-moshi talk --model kyutai/stt-1b-en_fr speech.ogg --transcript words.jsonl\n"
      "  gst-moshi talk --rtp opus --listen 5008 --send 192.0.2.7:5010");
  command->callback([options] { run(*options); });
}
