// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rtp_audio.h"

#include <netdb.h>

#include <charconv>
#include <utility>

#include "live_audio.h"

namespace {

// As in examples/opus.sdp.
constexpr int kOpusPayload = 97;
constexpr const char* kOpusDecode = "rtpopusdepay ! opusdec plc=true";
// Beyond the jitter buffer.
constexpr GstClockTime kPatience = 40 * GST_MSECOND;

/// Host and port of HOST:PORT; port 0 where the text is none.
std::pair<std::string, int> parse_peer(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return {};
  int port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ptr != end || port < 1 || port > 65535) return {};
  return {text.substr(0, colon), port};
}

std::string received_caps(const RtpOptions& options, const moshi::CodecInfo& codec, int codebooks) {
  if (!options.codes()) return "media=audio, clock-rate=48000, encoding-name=OPUS";
  return "media=audio, clock-rate=" + std::to_string(codec.sample_rate) +
         ", encoding-name=X-MIMI, codebooks=(string)" + std::to_string(codebooks) + ", cardinality=(string)" +
         std::to_string(codec.cardinality) + ", redundancy=(string)" + std::to_string(options.redundancy);
}

/// udpsink would send to nobody where a name is unknown.
void check_host(const std::string& host) {
  addrinfo* addresses = nullptr;
  const int problem = getaddrinfo(host.c_str(), nullptr, nullptr, &addresses);
  if (problem != 0) {
    throw Failure(Status::Other,
                  host + ": expected the name or address of a host, found: " + gai_strerror(problem));
  }
  freeaddrinfo(addresses);
}

/// Caps for packets of another payload type than was thought: what they hold is known all the same.
GstCaps* caps_of_payload(GstElement* buffer, guint payload, gpointer /*data*/) {
  GstCaps* caps = gst_pad_get_current_caps(static_pad(buffer, "sink").get());
  caps = gst_caps_make_writable(caps);
  gst_caps_set_simple(caps, "payload", G_TYPE_INT, static_cast<gint>(payload), nullptr);
  return caps;
}

/// Launch description of what makes speech steady frames.
std::string frames_of(const moshi::CodecInfo& codec) {
  return "audioconvert ! audioresample ! " + steady_frames(codec, kPatience);
}

}  // namespace

std::string opus_hearing(const moshi::CodecInfo& codec) {
  return std::string(kOpusDecode) + " ! " + frames_of(codec);
}

std::string opus_speech(int payload_type) {
  return "audioconvert ! audioresample ! opusenc ! rtpopuspay pt=" + std::to_string(payload_type);
}

void add_rtp_options(CLI::App& command, RtpOptions& options) {
  command
      .add_option("--jitter-buffer", options.jitter_buffer,
                  "RTP: milliseconds that packets may come late or in another order")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  command
      .add_option("--redundancy", options.redundancy,
                  "RTP with codes: earlier frames that each packet repeats, 80 ms of delay each")
      ->check(CLI::Range(0, 15))
      ->capture_default_str();
}

std::string check_peer(const std::string& text) {
  return parse_peer(text).second > 0 ? "" : "expected HOST:PORT, found '" + text + "'";
}

GstElement* add_rtp_source(Pipeline& pipeline, const RtpOptions& options, const moshi::CodecInfo& codec,
                           int codebooks) {
  GstElement* bin = pipeline.add_bin(
      "udpsrc name=udp port=" + std::to_string(options.port) + " caps=\"application/x-rtp, " +
      received_caps(options, codec, codebooks) + "\" ! rtpjitterbuffer name=buffer do-lost=true latency=" +
      std::to_string(options.jitter_buffer) + " ! " + (options.codes() ? "rtpmimidepay" : kOpusDecode));
  const GstHandle<GstElement> buffer(gst_bin_get_by_name(GST_BIN(bin), "buffer"));
  g_signal_connect(buffer.get(), "request-pt-map", G_CALLBACK(caps_of_payload), nullptr);
  pipeline.blame(bin, "UDP port " + std::to_string(options.port), "one that is free", Status::Other);
  return bin;
}

GstElement* add_rtp_user(Pipeline& pipeline, const RtpOptions& options, const moshi::CodecInfo& codec) {
  GstElement* source = add_rtp_source(pipeline, options, codec, codec.codebooks);
  if (options.codes()) return source;  // moshilm keeps time itself.
  GstElement* frames = pipeline.add_bin(frames_of(codec));
  pipeline.link({source, frames});
  return frames;
}

GstElement* add_rtp_sink(Pipeline& pipeline, const RtpOptions& options) {
  const auto [host, port] = parse_peer(options.peer);
  check_host(host);
  const std::string payloader = options.codes()
                                    ? "rtpmimipay redundancy=" + std::to_string(options.redundancy)
                                    : opus_speech(kOpusPayload);
  GstElement* bin = pipeline.add_bin(payloader + " ! udpsink name=rtp");
  const GstHandle<GstElement> sink(gst_bin_get_by_name(GST_BIN(bin), "rtp"));
  g_object_set(sink.get(), "host", host.c_str(), "port", port, nullptr);
  pipeline.blame(bin, options.peer, "a host to send to", Status::Other);
  return bin;
}
