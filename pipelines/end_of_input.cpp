// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "end_of_input.h"

#include <cmath>
#include <cstring>

namespace {

/// Feeds an encoder's sink pad after its recording.
class Feeder {
 public:
  Feeder(const moshi::CodecInfo& codec, const moshi::LmInfo& lm) : codec_(codec), lm_(lm) {}

  /// Remembers where the recording is.
  void pass(GstBuffer* buffer) { position_ = GST_BUFFER_PTS(buffer) + GST_BUFFER_DURATION(buffer); }

  /// Called with the recording's end.
  void finish(GstPad* pad) {
    if (lm_.model_type == "hibiki") {
      // The reference feeds silence until the text's end (moshi/run_inference.py, InferenceState.run);
      // past its context the model has forgotten the recording.
      gst_pad_send_event(pad, gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                                                   gst_structure_new_empty("moshi-end-of-input")));
      feed_silence(pad, static_cast<int64_t>(lm_.context) * codec_.frame_size);
    } else if (lm_.model_type == "stt") {
      feed_silence(pad, std::llround((lm_.audio_delay_seconds + 1.0) * codec_.sample_rate));
    }
  }

 private:
  /// Chains `samples` of silence, until the model has no use for more.
  void feed_silence(GstPad* pad, int64_t samples) {
    while (samples > 0) {
      const auto count = std::min<int64_t>(samples, codec_.frame_size);
      const auto bytes = static_cast<gsize>(count) * sizeof(float);
      GstBuffer* buffer = gst_buffer_new_allocate(nullptr, bytes, nullptr);
      gst_buffer_memset(buffer, 0, 0, bytes);
      GST_BUFFER_PTS(buffer) = position_;
      GST_BUFFER_DURATION(buffer) = gst_util_uint64_scale(static_cast<guint64>(count), GST_SECOND,
                                                          static_cast<guint64>(codec_.sample_rate));
      position_ += GST_BUFFER_DURATION(buffer);
      if (gst_pad_chain(pad, buffer) != GST_FLOW_OK) return;
      samples -= count;
    }
  }

  moshi::CodecInfo codec_;
  moshi::LmInfo lm_;
  GstClockTime position_ = 0;
};

GstPadProbeReturn watch(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto* feeder = static_cast<Feeder*>(data);
  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
    feeder->pass(GST_PAD_PROBE_INFO_BUFFER(info));
  } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) {
    feeder->finish(pad);
  }
  return GST_PAD_PROBE_OK;
}

}  // namespace

void finish_input(GstElement* encoder, const moshi::CodecInfo& codec, const moshi::LmInfo& lm) {
  const auto types =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
  gst_pad_add_probe(static_pad(encoder, "sink").get(), types, watch, new Feeder(codec, lm),
                    [](gpointer feeder) { delete static_cast<Feeder*>(feeder); });
}
