// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/task.h"

#include <ogg/ogg.h>

#include <cstring>

#include "audio_file.h"
#include "batch/subtitles.h"
#include "codes_file.h"
#include "conversation.h"
#include "end_of_input.h"
#include "output_file.h"

namespace fs = std::filesystem;

namespace batch {
namespace {

/// Elements that write a file of sound, without dither, which would make equal inputs give different files.
std::string sound_writer(const std::string& format) {
  const std::string convert = "audioconvert dithering=none ! audio/x-raw,format=S16LE ! ";
  if (format == "flac") return convert + "flacenc ! filesink name=file";
  if (format == "opus") {
    return convert + "opusenc bitrate=64000 ! oggmux ! filesink name=file";
  }
  return convert + "wavenc ! filesink name=file";
}

/// Ogg streams have random numbers; a fixed one makes equal speech give equal files. A buffer is a page.
GstPadProbeReturn number_page(GstPad*, GstPadProbeInfo* info, gpointer) {
  constexpr gsize kNumber = 14;
  constexpr gsize kSegments = 26;
  GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  GstMapInfo map;
  if (gst_buffer_map(buffer, &map, GST_MAP_READWRITE) == FALSE) return GST_PAD_PROBE_OK;
  if (map.size > kSegments) {
    std::memset(map.data + kNumber, 0, sizeof(guint32));
    const long head = static_cast<long>(kSegments) + 1 + map.data[kSegments];
    ogg_page page = {map.data, head, map.data + head, static_cast<long>(map.size) - head};
    ogg_page_checksum_set(&page);
  }
  gst_buffer_unmap(buffer, &map);
  return GST_PAD_PROBE_OK;
}

GstElement* add_sound_sink(Pipeline& pipeline, const std::string& format, const fs::path& path,
                           const fs::path& shown_path) {
  GstElement* bin = pipeline.add_bin(sound_writer(format));
  const GstHandle<GstElement> file(gst_bin_get_by_name(GST_BIN(bin), "file"));
  g_object_set(file.get(), "location", path.c_str(), nullptr);
  if (format == "opus") {
    gst_pad_add_probe(static_pad(file.get(), "sink").get(), GST_PAD_PROBE_TYPE_BUFFER, number_page, nullptr,
                      nullptr);
  }
  pipeline.blame(bin, shown_path.string(), "a place to write", Status::Other);
  return bin;
}

/// Counts the recording's own samples on their way to the encoder.
class Length {
 public:
  void listen(Pipeline& pipeline, GstElement* element) {
    pipeline.on_buffer(element, [this](GstBuffer* buffer) { bytes_ += gst_buffer_get_size(buffer); });
  }
  [[nodiscard]] double seconds(int rate, double silence) const {
    return static_cast<double>(bytes_) / sizeof(float) / rate - silence;
  }

 private:
  uint64_t bytes_ = 0;
};

/// A file's sound, decoded ahead on a thread of its own.
GstElement* add_recording(Pipeline& pipeline, const Recording& recording, int rate, int channel,
                          double silence, Length& length) {
  GstElement* source = add_audio_source(
      pipeline, recording.path, rate,
      {.silence = silence, .start = recording.start, .end = recording.end, .channel = channel});
  GstElement* queue = pipeline.add("queue");
  pipeline.link({source, queue});
  length.listen(pipeline, queue);
  return queue;
}

void play(Pipeline& pipeline, const std::function<void()>& check) {
  Progress silent(true);
  pipeline.run_until(silent, [&check] {
    check();
    return false;
  });
}

Failure no_sound(const Recording& recording) {
  return {Status::BadFile, recording.path + ": expected speech, found no sound at all"};
}

}  // namespace

/// The outputs of a recording, until they are committed.
struct Task::Files {
  Files(const Task& task, const Recording& recording) {
    for (const std::string& ending : task.endings()) {
      names.push_back(recording.id + ending);
      files.push_back(std::make_unique<OutputFile>(task.out_ / names.back()));
    }
  }
  [[nodiscard]] const OutputFile& main() const { return *files.front(); }
  [[nodiscard]] Outcome commit(Outcome outcome) {
    for (const auto& file : files) file->commit();
    outcome.outputs = names;
    return outcome;
  }
  std::vector<std::string> names;
  std::vector<std::unique_ptr<OutputFile>> files;
};

Task::Task(const TaskOptions& options, std::shared_ptr<moshi::ExecutionContext> context, fs::path out)
    : options_(options), context_(std::move(context)), out_(std::move(out)) {
  const bool speaks = context_->lm().dep_q > 0;
  if (options_.task == "transcribe" && context_->lm().model_type != "stt") {
    throw Failure(Status::Usage,
                  "--task transcribe: expected a model that writes what it hears "
                  "(kyutai/stt-1b-en_fr, for example), found one of type " +
                      context_->lm().model_type + "; give another --model");
  }
  if (options_.task == "reply" && !speaks) {
    throw Failure(Status::Usage,
                  "--task reply: expected a model that speaks, found one that writes text only; "
                  "give --task transcribe");
  }
  if (options_.codebooks > context_->codec().codebooks_max) {
    throw Failure(Status::Usage, "--codebooks: expected at most " +
                                     std::to_string(context_->codec().codebooks_max) +
                                     " (this codec's), found " + std::to_string(options_.codebooks));
  }
}

void Task::load(Progress& progress) const {
  context_->load_codec(progress_handler(progress, "loading the codec"));
  if (writes_words()) {
    moshi::LmOptions lm = lm_options(options_);
    lm.text = true;
    context_->load_lm(lm, progress_handler(progress, "loading the language model"));
  }
  progress.clear();
}

std::vector<std::string> Task::endings() const {
  if (options_.task == "encode") return {".safetensors"};
  std::vector<std::string> endings;
  if (writes_sound()) endings.push_back("." + options_.format);
  if (writes_words()) endings.insert(endings.end(), {".jsonl", ".vtt", ".srt"});
  return endings;
}

void Task::count_frames(Pipeline& pipeline, GstElement* element) const {
  pipeline.on_buffer(element, [this](GstBuffer*) { ++frames_; });
}

Outcome Task::run(const Recording& recording, uint64_t seed, const std::function<void()>& check) const {
  if (options_.task == "encode") return encode(recording, check);
  if (options_.task == "decode") return decode(recording, check);
  return converse(recording, seed, check);
}

void Task::clean(const Recording& recording) const {
  for (const std::string& ending : endings()) {
    const std::string beginning = recording.id + ending + ".part-";
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(out_, ignored)) {
      if (entry.path().filename().string().starts_with(beginning)) fs::remove(entry.path(), ignored);
    }
  }
}

Outcome Task::converse(const Recording& recording, uint64_t seed, const std::function<void()>& check) const {
  const moshi::CodecInfo& codec = context_->codec();
  const moshi::LmInfo& lm = context_->lm();
  const double silence = lm.audio_silence_prefix_seconds;
  Length length;
  Transcript transcript(codec.frame_ns, lm.model_type == "stt",
                        static_cast<int64_t>((lm.audio_delay_seconds + silence) * 1e9),
                        [](const moshi::Word&) {});
  Pipeline pipeline(recording.path + ": ");
  GstElement* source =
      add_recording(pipeline, recording, codec.sample_rate, options_.channel, silence, length);
  Files files(*this, recording);
  GstElement* model = add_language_model(pipeline, options_, options_, seed, false);
  GstElement* sink = writes_sound() ? add_sound_sink(pipeline, options_.format, files.main().temporary(),
                                                     out_ / files.names.front())
                                    : nullptr;
  GstElement* encoder = link_conversation(pipeline, options_, source, model, sink);
  add_transcript(pipeline, model, transcript, false);
  count_frames(pipeline, model);
  finish_input(encoder, codec, lm);
  play(pipeline, check);

  nlohmann::ordered_json result;
  add_result(result, model, seed, codec.frame_ns, {});
  if (result["frames_in"] == 0) throw no_sound(recording);
  const size_t words = files.files.size() - 3;
  files.files[words]->write(to_jsonl(transcript.words()));
  files.files[words + 1]->write(to_vtt(transcript.words()));
  files.files[words + 2]->write(to_srt(transcript.words()));
  return files.commit({.input_seconds = length.seconds(codec.sample_rate, silence),
                       .output_seconds = result["seconds"],
                       .frames = result["frames_out"]});
}

Outcome Task::encode(const Recording& recording, const std::function<void()>& check) const {
  const moshi::CodecInfo& codec = context_->codec();
  Length length;
  CodesCollector codes(options_.codebooks > 0 ? options_.codebooks : codec.codebooks);
  Pipeline pipeline(recording.path + ": ");
  GstElement* source = add_recording(pipeline, recording, codec.sample_rate, options_.channel, 0, length);
  Files files(*this, recording);
  GstElement* encoder = pipeline.add_model_element("mimienc", options_);
  set_property(encoder, "codebooks", std::to_string(options_.codebooks));
  GstElement* sink = codes.add_sink(pipeline);
  pipeline.link({source, encoder, sink});
  count_frames(pipeline, sink);
  play(pipeline, check);

  if (codes.steps() == 0) throw no_sound(recording);
  codes.write(files.main().temporary());
  return files.commit(
      {.input_seconds = length.seconds(codec.sample_rate, 0),
       .output_seconds = static_cast<double>(codes.steps()) * static_cast<double>(codec.frame_ns) * 1e-9,
       .frames = codes.steps()});
}

Outcome Task::decode(const Recording& recording, const std::function<void()>& check) const {
  const moshi::CodecInfo& codec = context_->codec();
  const auto codes = read_codes_file(recording.path, codec);
  Files files(*this, recording);
  Pipeline pipeline(recording.path + ": ");
  GstElement* source = add_codes_source(pipeline, codes, codec);
  GstElement* sink =
      add_sound_sink(pipeline, options_.format, files.main().temporary(), out_ / files.names.front());
  GstElement* decoder = pipeline.add_model_element("mimidec", options_);
  pipeline.link({source, decoder, sink});
  count_frames(pipeline, decoder);
  play(pipeline, check);

  const auto frames = static_cast<uint64_t>(codes.shape[1]);
  const double seconds = static_cast<double>(frames) * static_cast<double>(codec.frame_ns) * 1e-9;
  return files.commit({.input_seconds = seconds, .output_seconds = seconds, .frames = frames});
}

}  // namespace batch
