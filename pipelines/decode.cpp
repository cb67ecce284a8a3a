// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi decode`: codes in a safetensors file ! mimidec ! WAV.
#include <gst/app/gstappsrc.h>

#include "audio_file.h"
#include "output_file.h"
#include "tensors.h"

namespace {

struct DecodeOptions : CommonOptions {
  std::string input;
  std::string output;
  std::string sample_format = "s16";
};

/// A source that hands out `codes` [K, T], one frame a buffer.
GstElement* add_codes_source(Pipeline& pipeline, const Tensor<int64_t>& codes,
                             const moshi::CodecInfo& codec) {
  const int64_t codebooks = codes.shape[0];
  const int64_t steps = codes.shape[1];
  GstElement* source = pipeline.add("appsrc", "codes");
  set_property(source, "caps",
               "audio/x-mimi, rate=" + std::to_string(codec.sample_rate) +
                   ", channels=1, framed=true, frame-duration-us=" + std::to_string(codec.frame_ns / 1000) +
                   ", format=u16le, codebooks=" + std::to_string(codebooks) +
                   ", cardinality=" + std::to_string(codec.cardinality));
  set_property(source, "format", "time");
  set_property(source, "max-bytes", "0");
  std::vector<uint16_t> frame(static_cast<size_t>(codebooks));
  const size_t bytes = frame.size() * sizeof(uint16_t);
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t k = 0; k < codebooks; ++k) frame[k] = static_cast<uint16_t>(codes.values[k * steps + t]);
    GstBuffer* buffer = gst_buffer_new_memdup(frame.data(), bytes);
    GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(t * codec.frame_ns);
    GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(codec.frame_ns);
    gst_app_src_push_buffer(GST_APP_SRC(source), buffer);
  }
  gst_app_src_end_of_stream(GST_APP_SRC(source));
  gst_app_src_set_duration(GST_APP_SRC(source), static_cast<GstClockTime>(steps * codec.frame_ns));
  return source;
}

void run(const DecodeOptions& options) {
  const auto context = acquire_context(options);
  const moshi::CodecInfo& codec = context->codec();
  const auto file = open_tensors(options.input);
  const auto codes = read_codes(file, options.input, "codes", {-1, -1}, "[K, T]");
  if (codes.shape[0] > codec.codebooks_max) {
    throw Failure(Status::BadFile, options.input + ": expected at most " +
                                       std::to_string(codec.codebooks_max) +
                                       " codebooks (this codec's), found " + std::to_string(codes.shape[0]));
  }
  check_range(options.input, codes.values, 0, codec.cardinality - 1);

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
