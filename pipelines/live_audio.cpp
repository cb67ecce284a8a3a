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

/// A bin from a launch description; its errors are about `device`.
GstElement* add_device(Pipeline& pipeline, const std::string& description, const char* device) {
  GstElement* bin = pipeline.add_bin(description);
  pipeline.blame(bin, device, "an audio device (or files: gst-moshi talk IN OUT.wav)", Status::Other);
  return bin;
}

}  // namespace

GstElement* add_microphone(Pipeline& pipeline, const moshi::CodecInfo& codec, bool cancel_echo) {
  std::string description = "autoaudiosrc ! audioconvert ! audioresample ! ";
  if (cancel_echo && can_cancel_echo()) {
    description += std::string(kEchoFormat) + " ! webrtcdsp probe=echo ! audioconvert ! audioresample ! ";
  }
  // audiomixer keeps time where the device stalls: a frame of silence goes in rather than nothing.
  description += "audiomixer output-buffer-duration=" + std::to_string(codec.frame_ns) +
                 " ! capsfilter caps=\"audio/x-raw, format=F32LE, layout=interleaved, channels=1, rate=" +
                 std::to_string(codec.sample_rate) + "\"";
  return add_device(pipeline, description, "microphone");
}

GstElement* add_loudspeaker(Pipeline& pipeline) {
  std::string description = "audioconvert ! audioresample ! ";
  if (can_cancel_echo()) description += std::string(kEchoFormat) + " ! webrtcechoprobe name=echo ! ";
  return add_device(pipeline, description + "autoaudiosink", "loudspeaker");
}
