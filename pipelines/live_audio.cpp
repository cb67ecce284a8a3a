// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "live_audio.h"

namespace {

// A rate that webrtcdsp works at (8, 16, 32 or 48 kHz), the microphone's usual one.
constexpr const char* kEchoFormat = "audio/x-raw, format=S16LE, layout=interleaved, rate=48000, channels=1";

bool can_cancel_echo() {
  for (const char* name : {"webrtcdsp", "webrtcechoprobe"}) {
    GstElementFactory* factory = gst_element_factory_find(name);
    if (factory == nullptr) return false;
    gst_object_unref(factory);
  }
  return true;
}

}  // namespace

GstElement* add_device(Pipeline& pipeline, const std::string& description, const std::string& device) {
  GstElement* bin = pipeline.add_bin(description);
  pipeline.blame(bin, device, "an audio device (or files: gst-moshi talk IN OUT.wav)", Status::Other);
  return bin;
}

std::string steady_frames(const moshi::CodecInfo& codec, GstClockTime patience) {
  // Time begins with what comes first, however long that was waited for.
  return "audiomixer start-time-selection=first output-buffer-duration=" + std::to_string(codec.frame_ns) +
         " latency=" + std::to_string(patience) +
         " ! capsfilter caps=\"audio/x-raw, format=F32LE, layout=interleaved, channels=1, rate=" +
         std::to_string(codec.sample_rate) + "\"";
}

GstElement* add_microphone(Pipeline& pipeline, const moshi::CodecInfo& codec, bool cancel_echo,
                           const std::string& device) {
  std::string description = device + " ! audioconvert ! audioresample ! ";
  if (cancel_echo && can_cancel_echo()) {
    description += std::string(kEchoFormat) + " ! webrtcdsp probe=echo ! audioconvert ! audioresample ! ";
  }
  return add_device(pipeline, description + steady_frames(codec), "microphone");
}

GstElement* add_loudspeaker(Pipeline& pipeline, const std::string& device) {
  std::string description = "audioconvert ! audioresample ! ";
  if (can_cancel_echo()) description += std::string(kEchoFormat) + " ! webrtcechoprobe name=echo ! ";
  return add_device(pipeline, description + device, "loudspeaker");
}
