// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/audio/audio.h>

#include "backend.h"
#include "timeline.h"

namespace gstmoshi {

/// mimienc's input, in front of the base class's: gaps become silence, time that jumps starts the codec
/// anew, and what the base class gets is continuous. Belongs to the streaming thread.
class EncoderInput {
 public:
  /// Takes the place of the chain function the base class gave its sink pad, which chain() then calls.
  EncoderInput(GstAudioEncoder* encoder, Backend& backend);

  /// The sink caps; nullptr: none.
  void set_format(const GstCaps* caps);
  [[nodiscard]] const GstAudioInfo& info() const { return info_; }
  /// A new stream begins.
  void forget_stream();

  /// Takes samples.
  GstFlowReturn chain(GstBuffer* buffer, GstClockTime max_gap);
  /// Takes a GAP event: encodes it as silence, or returns the event to pass on.
  GstEvent* gap(GstEvent* event, GstClockTime max_gap, GstFlowReturn* flow);
  /// The input ends: completes its frame with silence, which the silence to come follows.
  GstFlowReturn end();

  /// The codec shall start anew with the next frame.
  void restart_codec() { restart_ = true; }
  /// Whether it shall; asks once.
  bool take_restart();

 private:
  GstFlowReturn push_samples(GstBuffer* buffer);
  GstFlowReturn push_silence(guint64 samples);
  GstFlowReturn complete_frame();
  GstFlowReturn pass_gap(GstClockTime duration, GstClockTime max_gap, bool* silent);
  GstBuffer* skip_heard(GstBuffer* buffer, GstClockTime overlap);
  GstFlowReturn follow_jump(GstClockTimeDiff jump, GstClockTime pts, GstClockTime max_gap);
  [[nodiscard]] GstPad* pad() const { return GST_AUDIO_ENCODER_SINK_PAD(encoder_); }
  [[nodiscard]] guint64 frame_size() const;

  GstAudioEncoder* encoder_;
  Backend& backend_;
  GstPadChainFunction base_chain_;
  GstAudioInfo info_;
  Timeline timeline_;
  guint64 in_frame_ = 0;    // Samples the base class holds of an unfinished frame.
  GstClockTime shift_ = 0;  // Silence put in at the end of the input, which moves the rest.
  GstClockTime gap_ = 0;    // Length of the gap so far.
  bool restart_ = false;
};

}  // namespace gstmoshi
