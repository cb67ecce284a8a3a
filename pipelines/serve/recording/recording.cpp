// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/recording/recording.h"

#include <utility>

#include "transcript.h"

namespace serve {
namespace {

using nlohmann::ordered_json;

/// What is still to be written at the end of a conversation is written by then.
constexpr GstClockTime kPatience = 30 * GST_SECOND;

constexpr const char* kPipeline =
    "appsrc name=user format=time ! audioconvert ! audioresample ! "
    "audio/x-raw,rate=24000,channels=1,channel-mask=(bitmask)0x1 ! both. "
    "appsrc name=model format=time ! audioconvert ! audioresample ! "
    "audio/x-raw,rate=24000,channels=1,channel-mask=(bitmask)0x2 ! both. "
    "audiointerleave name=both ! opusenc bitrate=64000 ! oggmux ! filesink name=file";

/// The time of `pts` since the conversation's pipeline began to play.
GstClockTime time_of(GstPad* pad, GstClockTime pts) {
  GstEvent* event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  if (event == nullptr) return pts;
  const GstSegment* segment = nullptr;
  gst_event_parse_segment(event, &segment);
  const GstClockTime time = gst_segment_to_running_time(segment, GST_FORMAT_TIME, pts);
  gst_event_unref(event);
  return time;
}

/// Speech is for those alone who may read this server's files.
void keep_private(const std::filesystem::path& file) {
  std::filesystem::permissions(file,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

std::string with_ending(std::filesystem::path path, const char* ending) { return (path += ending).string(); }

}  // namespace

Recording::Files::Files(const std::filesystem::path& path)
    : sound(with_ending(path, ".opus")), words(with_ending(path, ".jsonl")) {
  keep_private(sound.temporary());
  keep_private(words.temporary());
  transcript.open(words.temporary());
  GstBin* bin = GST_BIN(pipeline.add_bin(kPipeline));
  sources = {GstHandle<GstElement>(gst_bin_get_by_name(bin, "user")),
             GstHandle<GstElement>(gst_bin_get_by_name(bin, "model"))};
  const GstHandle<GstElement> file(gst_bin_get_by_name(bin, "file"));
  g_object_set(file.get(), "location", sound.temporary().c_str(), nullptr);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
}

Recording::Recording(std::filesystem::path path, ordered_json head, int64_t frame_ns, const Taps& taps)
    : path_(std::move(path)), head_(std::move(head)), word_(frame_ns) {
  gst_pad_add_probe(static_pad(taps.user, "sink").get(), GST_PAD_PROBE_TYPE_BUFFER, heard<kUser>, this,
                    nullptr);
  gst_pad_add_probe(static_pad(taps.model, "sink").get(), GST_PAD_PROBE_TYPE_BUFFER, heard<kModel>, this,
                    nullptr);
  const auto types =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
  gst_pad_add_probe(static_pad(taps.lm, "text_src").get(), types, said, this, nullptr);
}

template <Recording::Side Of>
GstPadProbeReturn Recording::heard(GstPad* pad, GstPadProbeInfo* info, gpointer self) {
  static_cast<Recording*>(self)->push(Of, pad, GST_PAD_PROBE_INFO_BUFFER(info));
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn Recording::said(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  auto* self = static_cast<Recording*>(data);
  const std::lock_guard lock(self->mutex_);
  GstClockTime pts = 0;
  std::string piece;
  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
    GstBuffer* text = GST_PAD_PROBE_INFO_BUFFER(info);
    pts = GST_BUFFER_PTS(text);
    piece.resize(gst_buffer_get_size(text));
    gst_buffer_extract(text, 0, piece.data(), piece.size());
  } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_GAP) {
    gst_event_parse_gap(GST_PAD_PROBE_INFO_EVENT(info), &pts, nullptr);
  } else {
    return GST_PAD_PROBE_OK;
  }
  self->add(self->word_.push(static_cast<int64_t>(time_of(pad, pts)), piece));
  return GST_PAD_PROBE_OK;
}

/// Under the lock, as the two below.
void Recording::begin() {
  try {
    files_ = std::make_unique<Files>(path_);
    files_->transcript << head_.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
  } catch (const std::exception& error) {
    problem_ = error.what();
  }
}

void Recording::push(Side side, GstPad* pad, GstBuffer* buffer) {
  const std::lock_guard lock(mutex_);
  if (!problem_.empty()) return;
  if (files_ == nullptr) begin();
  if (files_ == nullptr) return;
  auto* source = GST_APP_SRC(files_->sources[side].get());
  const GstHandle<GstCaps> caps(gst_pad_get_current_caps(pad));
  gst_app_src_set_caps(source, caps.get());
  GstBuffer* copy = gst_buffer_copy(buffer);  // Of the same memory.
  GST_BUFFER_PTS(copy) = time_of(pad, GST_BUFFER_PTS(buffer));
  gst_app_src_push_buffer(source, copy);
}

void Recording::add(const std::optional<moshi::Word>& word) {
  if (!word || files_ == nullptr) return;
  files_->transcript << to_json(*word).dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

void Recording::finish() {
  const std::lock_guard lock(mutex_);
  if (!problem_.empty()) throw Failure(Status::Other, problem_);
  if (files_ == nullptr) return;
  add(word_.finish());
  for (const auto& source : files_->sources) gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
  const GstHandle<GstBus> bus(gst_element_get_bus(files_->pipeline.get()));
  const GstHandle<GstMessage> message(gst_bus_timed_pop_filtered(
      bus.get(), kPatience, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  if (message == nullptr || GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR ||
      !files_->transcript.flush())
    throw Failure(Status::Other, path_.string() + ": expected space to write, found none in time");
  files_->pipeline.stop();
  files_->sound.commit();
  files_->words.commit();
  files_.reset();
}

}  // namespace serve
