// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi encode`: audio ! mimienc ! codes in a safetensors file.
#include "audio_file.h"
#include "output_file.h"
#include "tensors.h"

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
  const auto codebooks = static_cast<size_t>(options.codebooks > 0 ? options.codebooks : codec.codebooks);

  OutputFile output(options.output);
  Progress progress(options.quiet);
  Pipeline pipeline;
  GstElement* source = add_audio_source(pipeline, options.input, codec.sample_rate);
  GstElement* encoder = pipeline.add_model_element("mimienc", options);
  set_property(encoder, "codebooks", std::to_string(options.codebooks));
  GstElement* sink = pipeline.add("fakesink");
  pipeline.link({source, encoder, sink});
  std::vector<uint16_t> frames;  // one after the other
  pipeline.on_buffer(sink, [&frames](GstBuffer* buffer) {
    const size_t count = gst_buffer_get_size(buffer) / sizeof(uint16_t);
    frames.resize(frames.size() + count);
    gst_buffer_extract(buffer, 0, &frames[frames.size() - count], count * sizeof(uint16_t));
  });
  pipeline.run(progress);

  const size_t steps = frames.size() / codebooks;
  if (steps == 0) throw Failure(Status::BadFile, options.input + ": expected speech, found no sound at all");
  std::vector<int64_t> codes(frames.size());
  for (size_t t = 0; t < steps; ++t) {
    for (size_t k = 0; k < codebooks; ++k) codes[k * steps + t] = frames[t * codebooks + k];
  }
  const std::vector<moshi::checkpoint::TensorToWrite> tensors = {
      tensor_to_write("codes", moshi::checkpoint::Dtype::I64,
                      {static_cast<int64_t>(codebooks), static_cast<int64_t>(steps)}, codes)};
  moshi::checkpoint::write_safetensors(output.temporary(), tensors);
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
