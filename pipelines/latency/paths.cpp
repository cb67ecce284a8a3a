// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "latency/paths.h"

#include <atomic>
#include <chrono>
#include <future>

#include "live_audio.h"

namespace latency {
namespace {

constexpr const char* kHere = "127.0.0.1:";

/// Opens the pipeline's UDP port, any that is free.
int open_port(Pipeline& pipeline) {
  gst_element_set_state(pipeline.get(), GST_STATE_READY);
  const GstHandle<GstElement> source(gst_bin_get_by_name(GST_BIN(pipeline.get()), "udp"));
  gint port = 0;
  g_object_get(source.get(), "port", &port, nullptr);
  return port;
}

double declared_ms(GstElement* pipeline) {
  GstQuery* query = gst_query_new_latency();
  GstClockTime least = 0;
  if (gst_element_query(pipeline, query) != FALSE) gst_query_parse_latency(query, nullptr, &least, nullptr);
  gst_query_unref(query);
  return static_cast<double>(least) * 1e-6;
}

}  // namespace

std::vector<std::string> path_names() { return {"microphone", "devices", "rtp-mimi", "rtp-opus", "phone"}; }

Path::Path(const PathOptions& options, const moshi::ExecutionContext& context, std::vector<float> sound)
    : mouth_(std::move(sound), context.codec().sample_rate),
      ear_(context.codec().sample_rate),
      echo_(context.codec().frame_ns) {
  if (options.path == "microphone") {
    build_microphone(options, context.codec());
  } else if (options.path == "devices") {
    build_devices();
  } else if (options.path == "phone") {
    build_phone(options, context);
  } else {
    build_rtp(options, context.codec(), context.lm());
  }
}

Pipeline& Path::add(const std::string& name) {
  parts_.insert(parts_.begin(), {name, 0});
  Pipeline& pipeline = **pipelines_.insert(pipelines_.begin(), std::make_unique<Pipeline>(name + ": "));
  // One clock for mouth and ear, not those of devices.
  GstClock* clock = gst_system_clock_obtain();
  gst_pipeline_use_clock(GST_PIPELINE(pipeline.get()), clock);
  gst_object_unref(clock);
  return pipeline;
}

GstElement* Path::add_model(Pipeline& pipeline, const PathOptions& options) {
  GstElement* model = add_language_model(pipeline, options, {.greedy = true}, 0, options.allow_slow);
  echo_.attach(model);
  return model;
}

void Path::build_microphone(const PathOptions& options, const moshi::CodecInfo& codec) {
  Pipeline& pipeline = add("conversation");
  GstElement* microphone = add_microphone(pipeline, codec, true, Mouth::kSource);
  GstElement* model = add_model(pipeline, options);
  link_conversation(pipeline, options, microphone, model, add_loudspeaker(pipeline, ear_.sink()));
  mouth_.attach(pipeline);
  ear_.attach(pipeline);
}

void Path::build_devices() {
  Pipeline& microphone = add("microphone");
  add_device(microphone, "autoaudiosrc ! " + ear_.sink(), "microphone");
  ear_.attach(microphone);
  Pipeline& loudspeaker = add("loudspeaker");
  add_device(loudspeaker, std::string(Mouth::kSource) + " ! audioconvert ! audioresample ! autoaudiosink",
             "loudspeaker");
  mouth_.attach(loudspeaker);
}

void Path::build_phone(const PathOptions& options, const moshi::ExecutionContext& context) {
  service_ = std::make_unique<TelephoneService>(options, options.allow_slow, context, echo_);
  const Telephone telephone(service_->address());
  Pipeline& receiver = add("caller's receiver");
  receiver.link({telephone.add_receiver(receiver, options.rtp.jitter_buffer), receiver.add_bin(ear_.sink())});
  ear_.attach(receiver);
  Pipeline& sender = add("caller's sender");
  sender.link({sender.add_bin(Mouth::kSource), telephone.add_sender(sender)});
  mouth_.attach(sender);
}

// Built from the ear to the mouth: who sends must know the port.
void Path::build_rtp(const PathOptions& options, const moshi::CodecInfo& codec, const moshi::LmInfo& lm) {
  RtpOptions rtp = options.rtp;
  rtp.format = options.path.substr(options.path.find('-') + 1);
  rtp.port = 0;

  Pipeline& receiver = add("caller's receiver");
  GstElement* reply = add_rtp_source(receiver, rtp, codec, lm.output_codebooks);
  GstElement* ear = receiver.add_bin(ear_.sink());
  if (rtp.codes()) {
    receiver.link({reply, receiver.add_model_element("mimidec", options), ear});
  } else {
    receiver.link({reply, ear});
  }
  ear_.attach(receiver);

  Pipeline& conversation = add("conversation");
  rtp.peer = kHere + std::to_string(open_port(receiver));
  GstElement* user = add_rtp_user(conversation, rtp, codec);
  GstElement* model = add_model(conversation, options);
  link_conversation(conversation, options, user, model, add_rtp_sink(conversation, rtp), rtp.codes());

  Pipeline& sender = add("caller's sender");
  rtp.peer = kHere + std::to_string(open_port(conversation));
  GstElement* mouth = sender.add_bin(Mouth::kSource);
  GstElement* question = add_rtp_sink(sender, rtp);
  if (rtp.codes()) {
    sender.link({mouth, sender.add_model_element("mimienc", options), question});
  } else {
    sender.link({mouth, question});
  }
  mouth_.attach(sender);
}

void Path::play(double seconds, Progress& progress) {
  std::atomic<bool> failed = false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  const auto over = [&] { return failed || std::chrono::steady_clock::now() >= end; };
  std::vector<std::future<void>> ends;
  for (const auto& pipeline : pipelines_) {
    ends.push_back(std::async(std::launch::async, [&] {
      try {
        pipeline->run_until(progress, over);
      } catch (...) {
        failed = true;
        throw;
      }
    }));
  }
  for (const auto& ended : ends) ended.wait();
  for (auto& ended : ends) ended.get();
  for (size_t i = 0; i < parts_.size(); ++i) parts_[i].declared_ms = declared_ms(pipelines_[i]->get());
  const auto call = service_ ? service_->pipeline() : nullptr;
  if (call) parts_.insert(parts_.begin() + 1, {"conversation", declared_ms(call.get())});
}

}  // namespace latency
