// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "latency/telephone.h"

namespace latency {
namespace {

PhoneOptions phone_options(const CommonOptions& common, bool allow_slow) {
  PhoneOptions options;
  static_cast<CommonOptions&>(options) = common;
  options.quiet = true;
  options.json = false;
  options.greedy = true;
  options.allow_slow = allow_slow;
  return options;
}

}  // namespace

TelephoneService::TelephoneService(const CommonOptions& options, bool allow_slow,
                                   const moshi::ExecutionContext& context, Echo& echo)
    : options_(phone_options(options, allow_slow)),
      log_(options_),
      calls_("127.0.0.1:0"),
      switchboard_(1, log_),
      phone_{options_, context, log_, switchboard_,
             [this, &echo](GstElement* model) {
               echo.attach(model);
               note(model);
             }},
      loop_(g_main_loop_new(nullptr, FALSE)) {
  calls_.start(phone_);
  thread_ = std::thread([this] { g_main_loop_run(loop_); });
}

TelephoneService::~TelephoneService() {
  g_main_loop_quit(loop_);
  thread_.join();
  g_main_loop_unref(loop_);
}

void TelephoneService::note(GstElement* model) {
  const std::lock_guard lock(mutex_);
  model_.reset(GST_ELEMENT(gst_object_ref(model)));
}

GstHandle<GstElement> TelephoneService::pipeline() {
  const std::lock_guard lock(mutex_);
  if (!model_) return nullptr;
  return GstHandle<GstElement>(GST_ELEMENT(gst_object_get_parent(GST_OBJECT(model_.get()))));
}

Telephone::Telephone(const std::string& service)
    : socket_(g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, nullptr)),
      service_(parse_address("telephone", service)) {
  const auto any = parse_address("telephone", "127.0.0.1:0");
  GError* error = nullptr;
  if (!socket_ || g_socket_bind(socket_.get(), any.get(), FALSE, &error) == 0) {
    throw cannot_listen("telephone", "127.0.0.1:0", error);
  }
}

GstElement* Telephone::add_sender(Pipeline& pipeline) const {
  GstElement* sender = pipeline.add_bin(
      "audioconvert ! audioresample ! mulawenc ! rtppcmupay min-ptime=20000000 max-ptime=20000000 ! "
      "udpsink name=line close-socket=false");
  const GstHandle<GstElement> line(gst_bin_get_by_name(GST_BIN(sender), "line"));
  g_object_set(line.get(), "socket", socket_.get(), "host", "127.0.0.1", "port",
               static_cast<gint>(g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(service_.get()))),
               nullptr);
  return sender;
}

GstElement* Telephone::add_receiver(Pipeline& pipeline, int jitter_ms) const {
  GstElement* receiver = pipeline.add_bin(
      "udpsrc name=line close-socket=false caps=\"application/x-rtp, media=audio, clock-rate=8000, "
      "encoding-name=PCMU\" ! rtpjitterbuffer latency=" +
      std::to_string(jitter_ms) + " ! rtppcmudepay ! mulawdec");
  const GstHandle<GstElement> line(gst_bin_get_by_name(GST_BIN(receiver), "line"));
  g_object_set(line.get(), "socket", socket_.get(), nullptr);
  return receiver;
}

}  // namespace latency
