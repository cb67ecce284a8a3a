// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "audio_file.h"

#include <gst/audio/audio.h>

#include <cmath>
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

/// audioconvert would mix channels; a matrix makes it take one. The count is known with the caps.
GstPadProbeReturn take_channel(GstPad* pad, GstPadProbeInfo* info, gpointer part) {
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return GST_PAD_PROBE_OK;
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  gint channels = 1;
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "channels", &channels);
  const GstHandle<GstElement> convert(gst_pad_get_parent_element(pad));
  const int taken = static_cast<const AudioPart*>(part)->channel;
  if (taken > channels) {
    GST_ELEMENT_ERROR(convert.get(), STREAM, FORMAT, ("%d channel(s), no channel %d", channels, taken),
                      (nullptr));
  }

  GValue row = G_VALUE_INIT;
  GValue matrix = G_VALUE_INIT;
  GValue weight = G_VALUE_INIT;
  g_value_init(&row, GST_TYPE_ARRAY);
  g_value_init(&matrix, GST_TYPE_ARRAY);
  g_value_init(&weight, G_TYPE_FLOAT);
  for (int channel = 1; channel <= channels; ++channel) {
    g_value_set_float(&weight, channel == taken ? 1.0F : 0.0F);
    gst_value_array_append_value(&row, &weight);
  }
  gst_value_array_append_value(&matrix, &row);
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

GstClockTime to_time(double seconds) { return static_cast<GstClockTime>(std::llround(seconds * 1e9)); }

/// Drops what lies outside the part and moves the rest, so that audiorate fills the time before it with
/// silence.
GstPadProbeReturn take_part(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  const auto& part = *static_cast<const AudioPart*>(data);
  const GstHandle<GstCaps> caps(gst_pad_get_current_caps(pad));
  GstAudioInfo format;
  gst_audio_info_from_caps(&format, caps.get());
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  // Time stamps are cut to nanoseconds, and clipping cuts to samples: half of one makes it the nearest.
  const auto half_a_sample = static_cast<GstClockTime>(GST_SECOND / 2 / format.rate);
  if (part.start > 0) segment.start = to_time(part.start) + half_a_sample;
  if (part.end > 0) segment.stop = to_time(part.end) - half_a_sample;

  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  const bool over = part.end > 0 && GST_BUFFER_PTS(buffer) >= segment.stop;
  buffer = gst_audio_buffer_clip(buffer, &segment, format.rate, format.bpf);
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  if (over) gst_pad_send_event(pad, gst_event_new_eos());
  // What was clipped away is freed already.
  if (buffer == nullptr) return GST_PAD_PROBE_HANDLED;
  buffer = gst_buffer_make_writable(buffer);
  GST_BUFFER_PTS(buffer) = GST_BUFFER_PTS(buffer) + to_time(part.silence) - segment.start;
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return GST_PAD_PROBE_OK;
}

void delete_part(gpointer part) { delete static_cast<AudioPart*>(part); }

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

GstElement* add_audio_source(Pipeline& pipeline, const std::string& path, int rate, const AudioPart& part) {
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
  gst_pad_add_probe(static_pad(convert, "sink").get(), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, take_channel,
                    new AudioPart(part), delete_part);
  g_signal_connect(decode, "pad-added", G_CALLBACK(link_decoded), convert);
  if (part.silence > 0 || part.start > 0 || part.end > 0) {
    gst_pad_add_probe(static_pad(fill, "sink").get(), GST_PAD_PROBE_TYPE_BUFFER, take_part,
                      new AudioPart(part), delete_part);
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
