// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "audio_file.h"

#include <filesystem>

namespace fs = std::filesystem;

namespace {

void check_readable(const std::string& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  const std::string expected = path + ": expected an audio file, found ";
  if (!fs::exists(status)) throw Failure(Status::BadFile, expected + "no file of that name");
  if (fs::is_directory(status)) throw Failure(Status::BadFile, expected + "a directory");
  if (fs::is_regular_file(status) && fs::file_size(path, error) == 0) {
    throw Failure(Status::BadFile, expected + "an empty file");
  }
}

/// audioconvert would mix channels; a matrix makes it take the first. The count is known with the caps.
GstPadProbeReturn take_first_channel(GstPad* pad, GstPadProbeInfo* info, gpointer) {
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  gint channels = 1;
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "channels", &channels);

  GValue row = G_VALUE_INIT;
  GValue matrix = G_VALUE_INIT;
  GValue weight = G_VALUE_INIT;
  g_value_init(&row, GST_TYPE_ARRAY);
  g_value_init(&matrix, GST_TYPE_ARRAY);
  g_value_init(&weight, G_TYPE_FLOAT);
  for (int channel = 0; channel < channels; ++channel) {
    g_value_set_float(&weight, channel == 0 ? 1.0F : 0.0F);
    gst_value_array_append_value(&row, &weight);
  }
  gst_value_array_append_value(&matrix, &row);
  const GstHandle<GstElement> convert(gst_pad_get_parent_element(pad));
  g_object_set_property(G_OBJECT(convert.get()), "mix-matrix", &matrix);
  g_value_unset(&weight);
  g_value_unset(&row);
  g_value_unset(&matrix);
  return GST_PAD_PROBE_OK;
}

/// Links the first audio stream; later ones stay unlinked.
void link_decoded(GstElement*, GstPad* pad, gpointer convert) {
  const auto sink = static_pad(GST_ELEMENT(convert), "sink");
  if (gst_pad_is_linked(sink.get()) == 0) gst_pad_link(pad, sink.get());
}

/// Moves buffers later, so that audiorate fills the time before them with silence.
GstPadProbeReturn delay_buffer(GstPad*, GstPadProbeInfo* info, gpointer delay) {
  GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_BUFFER_PTS(buffer) += *static_cast<GstClockTime*>(delay);
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return GST_PAD_PROBE_OK;
}

/// Adds elements made by `pipeline` to a bin of their own with ghost pads at its ends.
GstElement* make_bin(Pipeline& pipeline, const char* name, const std::vector<GstElement*>& elements,
                     const char* direction, GstElement* end) {
  GstElement* bin = gst_bin_new(name);
  for (GstElement* element : elements) {
    gst_object_ref(element);
    gst_bin_remove(GST_BIN(pipeline.get()), element);
    gst_bin_add(GST_BIN(bin), element);
    gst_object_unref(element);
  }
  gst_element_add_pad(bin, gst_ghost_pad_new(direction, static_pad(end, direction).get()));
  gst_bin_add(GST_BIN(pipeline.get()), bin);
  return bin;
}

}  // namespace

GstElement* add_audio_source(Pipeline& pipeline, const std::string& path, int rate, double prefix_seconds) {
  check_readable(path);
  GstElement* source = pipeline.add("filesrc");
  GstElement* decode = pipeline.add("decodebin");
  GstElement* convert = pipeline.add("audioconvert");
  GstElement* resample = pipeline.add("audioresample");
  GstElement* fill = pipeline.add("audiorate");
  GstElement* format = pipeline.add("capsfilter");
  g_object_set(source, "location", path.c_str(), nullptr);
  gst_util_set_object_arg(G_OBJECT(decode), "caps", "audio/x-raw");
  g_object_set(decode, "expose-all-streams", FALSE, nullptr);
  set_property(format, "caps",
               "audio/x-raw, format=F32LE, layout=interleaved, channels=1, rate=" + std::to_string(rate));
  gst_pad_add_probe(static_pad(convert, "sink").get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                    take_first_channel, nullptr, nullptr);
  g_signal_connect(decode, "pad-added", G_CALLBACK(link_decoded), convert);
  if (prefix_seconds > 0) {
    auto* delay = new GstClockTime(static_cast<GstClockTime>(prefix_seconds * GST_SECOND));
    gst_pad_add_probe(static_pad(fill, "sink").get(), GST_PAD_PROBE_TYPE_BUFFER, delay_buffer, delay,
                      [](gpointer data) { delete static_cast<GstClockTime*>(data); });
  }
  GstElement* bin =
      make_bin(pipeline, "input", {source, decode, convert, resample, fill, format}, "src", format);
  gst_element_link(source, decode);
  gst_element_link_many(convert, resample, fill, format, nullptr);
  pipeline.blame(bin, path, "audio that GStreamer decodes", Status::BadFile);
  return bin;
}

GstElement* add_wav_sink(Pipeline& pipeline, const std::string& path, const std::string& shown_path,
                         const std::string& format) {
  GstElement* convert = pipeline.add("audioconvert");
  GstElement* filter = pipeline.add("capsfilter");
  GstElement* wav = pipeline.add("wavenc");
  GstElement* sink = pipeline.add("filesink");
  // Dither would make equal inputs give different files.
  set_property(convert, "dithering", "none");
  set_property(filter, "caps", "audio/x-raw, format=" + format);
  g_object_set(sink, "location", path.c_str(), nullptr);
  GstElement* bin = make_bin(pipeline, "output", {convert, filter, wav, sink}, "sink", convert);
  gst_element_link_many(convert, filter, wav, sink, nullptr);
  pipeline.blame(bin, shown_path, "a place to write", Status::Other);
  return bin;
}
