// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi encode`: audio ! mimienc ! codes in a safetensors file.
#include "audio_file.h"
#include "codes_file.h"
#include "output_file.h"

namespace {

struct EncodeOptions : CommonOptions {
  std::string input;
  std::string output;
  int codebooks = 0;
};

void run(const EncodeOptions& options) {
  const auto context = acquire_context(options);
  const moshi::CodecInfo& codec = context->codec();
  if (options.codebooks > codec.codebooks_max) {
    throw Failure(Status::Usage, "--codebooks: expected at most " + std::to_string(codec.codebooks_max) +
                                     " (this codec's), found " + std::to_string(options.codebooks));
  }
  const int codebooks = options.codebooks > 0 ? options.codebooks : codec.codebooks;

  OutputFile output(options.output);
  Progress progress(options.quiet);
  Pipeline pipeline;
  GstElement* source = add_audio_source(pipeline, options.input, codec.sample_rate);
  GstElement* encoder = pipeline.add_model_element("mimienc", options);
  set_property(encoder, "codebooks", std::to_string(options.codebooks));
  CodesCollector codes(codebooks);
  pipeline.link({source, encoder, codes.add_sink(pipeline)});
  pipeline.run(progress);

  const size_t steps = codes.steps();
  if (steps == 0) throw Failure(Status::BadFile, options.input + ": expected speech, found no sound at all");
  codes.write(output.temporary());
  output.commit();
  if (options.json) {
    const double seconds = static_cast<double>(steps) * static_cast<double>(codec.frame_ns) * 1e-9;
    print_result(nlohmann::json{
        {"output", options.output}, {"codebooks", codebooks}, {"frames", steps}, {"seconds", seconds}});
  }
}

}  // namespace

void add_encode(CLI::App& app) {
  auto options = std::make_shared<EncodeOptions>();
  auto* command = app.add_subcommand("encode", "Encode speech to codes, frame by frame");
  command->add_option("IN", options->input, "Any audio GStreamer decodes; its first channel counts")
      ->type_name("")
      ->required();
  command->add_option("OUT.safetensors", options->output, "File to write: `codes`, I64 [K, T]")
      ->type_name("")
      ->required();
  command->add_option("--codebooks", options->codebooks, "Codebooks K (0: as the model uses)")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  add_common_options(*command, *options);
  command->footer("Example:\n  gst-moshi encode speech.ogg codes.safetensors");
  command->callback([options] { run(*options); });
}
