// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "codes_file.h"

#include <gst/app/gstappsrc.h>

Tensor<int64_t> read_codes_file(const std::string& path, const moshi::CodecInfo& codec) {
  const auto file = open_tensors(path);
  const auto codes = read_codes(file, path, "codes", {-1, -1}, "[K, T]");
  if (codes.shape[0] > codec.codebooks_max) {
    throw Failure(Status::BadFile, path + ": expected at most " + std::to_string(codec.codebooks_max) +
                                       " codebooks (this codec's), found " + std::to_string(codes.shape[0]));
  }
  check_range(path, codes.values, 0, codec.cardinality - 1);
  return codes;
}

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

GstElement* CodesCollector::add_sink(Pipeline& pipeline) {
  GstElement* sink = pipeline.add("fakesink");
  pipeline.on_buffer(sink, [this](GstBuffer* buffer) {
    const size_t count = gst_buffer_get_size(buffer) / sizeof(uint16_t);
    frames_.resize(frames_.size() + count);
    gst_buffer_extract(buffer, 0, &frames_[frames_.size() - count], count * sizeof(uint16_t));
  });
  return sink;
}

void CodesCollector::write(const std::filesystem::path& path) const {
  std::vector<int64_t> codes(frames_.size());
  for (size_t t = 0; t < steps(); ++t) {
    for (size_t k = 0; k < codebooks_; ++k) codes[k * steps() + t] = frames_[t * codebooks_ + k];
  }
  const std::vector<moshi::checkpoint::TensorToWrite> tensors = {
      tensor_to_write("codes", moshi::checkpoint::Dtype::I64,
                      {static_cast<int64_t>(codebooks_), static_cast<int64_t>(steps())}, codes)};
  moshi::checkpoint::write_safetensors(path, tensors);
}
