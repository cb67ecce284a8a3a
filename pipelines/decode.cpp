// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi decode`: codes in a safetensors file ! mimidec ! WAV.
#include "audio_file.h"
#include "codes_file.h"
#include "output_file.h"

namespace {

struct DecodeOptions : CommonOptions {
  std::string input;
  std::string output;
  std::string sample_format = "s16";
};

void run(const DecodeOptions& options) {
  const auto context = acquire_context(options);
  const moshi::CodecInfo& codec = context->codec();
  const auto codes = read_codes_file(options.input, codec);

  Progress progress(options.quiet);
  OutputFile output(options.output);
  Pipeline pipeline;
  GstElement* source = add_codes_source(pipeline, codes, codec);
  GstElement* decoder = pipeline.add_model_element("mimidec", options);
  GstElement* sink = add_wav_sink(pipeline, output.temporary(), options.output,
                                  options.sample_format == "f32" ? "F32LE" : "S16LE");
  pipeline.link({source, decoder, sink});
  pipeline.run(progress);
  output.commit();
  if (options.json) {
    const double seconds = static_cast<double>(codes.shape[1]) * static_cast<double>(codec.frame_ns) * 1e-9;
    print_result(
        nlohmann::json{{"output", options.output}, {"frames", codes.shape[1]}, {"seconds", seconds}});
  }
}

}  // namespace

void add_decode(CLI::App& app) {
  auto options = std::make_shared<DecodeOptions>();
  auto* command = app.add_subcommand("decode", "Decode codes to speech");
  command->add_option("IN.safetensors", options->input, "File with `codes`, I64 [K, T]")
      ->type_name("")
      ->required();
  command->add_option("OUT.wav", options->output, "File to write")->type_name("")->required();
  command->add_option("--sample-format", options->sample_format, "s16 (saturating) or f32")
      ->check(CLI::IsMember({"s16", "f32"}))
      ->capture_default_str();
  add_common_options(*command, *options);
  command->footer("Example:\n  gst-moshi decode codes.safetensors speech.wav");
  command->callback([options] { run(*options); });
}
