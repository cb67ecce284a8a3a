// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/offer.h"

#include <gst/sdp/gstsdpmessage.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>

#include "serve/webrtc/ice_fragment.h"
#include "serve/webrtc/sdp_error.h"

namespace serve {
namespace {

constexpr unsigned kBadRequest = 400;
constexpr unsigned kUnprocessable = 422;
constexpr size_t kMostCandidates = 64;
constexpr size_t kLongestMid = 32;
constexpr size_t kLongestFingerprint = 191;  // SHA-512
constexpr const char* kAudioProtocol = "UDP/TLS/RTP/SAVPF";
constexpr const char* kDataProtocol = "UDP/DTLS/SCTP";
constexpr const char* kDataFormat = "webrtc-datachannel";

struct SdpDeleter {
  void operator()(GstSDPMessage* message) const { gst_sdp_message_free(message); }
};
using Sdp = std::unique_ptr<GstSDPMessage, SdpDeleter>;

[[noreturn]] void refuse(const std::string& line) { throw SdpError(kUnprocessable, line); }

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return g_ascii_tolower(c); });
  return text;
}

template <typename Number>
std::optional<Number> number_in(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return {};
  return value;
}

Sdp parse(const std::string& text) {
  if (!text.starts_with("v=0")) {
    throw SdpError(kBadRequest, "expected an SDP offer, which begins with v=0, found " + excerpt(text));
  }
  if (text.find('\0') != std::string::npos) {
    throw SdpError(kBadRequest, "expected an SDP offer, found a byte of 0 in it");
  }
  GstSDPMessage* message = nullptr;
  gst_sdp_message_new(&message);
  Sdp sdp(message);
  if (gst_sdp_message_parse_buffer(reinterpret_cast<const guint8*>(text.c_str()),
                                   static_cast<guint>(text.size()), message) != GST_SDP_OK) {
    throw SdpError(kBadRequest, "expected an SDP offer, found lines that are none of SDP");
  }
  return sdp;
}

/// An attribute of an m-line, or else of the session.
std::string attribute_of(const GstSDPMessage* sdp, const GstSDPMedia* media, const char* name) {
  const char* value = gst_sdp_media_get_attribute_val(media, name);
  return text_of(value != nullptr ? value : gst_sdp_message_get_attribute_val(sdp, name));
}

bool has_attribute(const GstSDPMedia* media, const char* name) {
  return gst_sdp_media_get_attribute_val(media, name) != nullptr;
}

std::vector<std::string> attributes_of(const GstSDPMedia* media, const char* name) {
  std::vector<std::string> values;
  while (const char* value =
             gst_sdp_media_get_attribute_val_n(media, name, static_cast<guint>(values.size()))) {
    values.emplace_back(value);
  }
  return values;
}

// ------------------------------------------------------------------------------------ the transport

/// "sha-256 AB:CD:...", bytes in hexadecimal digits.
bool is_fingerprint(const std::string& text) {
  const size_t space = text.find(' ');
  if (!text.starts_with("sha-") || space == std::string::npos ||
      text.size() - space - 1 > kLongestFingerprint)
    return false;
  const std::string_view bytes = std::string_view(text).substr(space + 1);
  if (!number_in<int>(std::string_view(text).substr(4, space - 4), 1, 512) || bytes.size() % 3 != 2)
    return false;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i % 3 == 2 ? bytes[i] != ':' : g_ascii_isxdigit(bytes[i]) == FALSE) return false;
  }
  return true;
}

void read_transport(const GstSDPMessage* sdp, const GstSDPMedia* first, Offer& offer) {
  offer.ufrag = attribute_of(sdp, first, "ice-ufrag");
  offer.password = attribute_of(sdp, first, "ice-pwd");
  offer.fingerprint = attribute_of(sdp, first, "fingerprint");
  offer.setup = attribute_of(sdp, first, "setup");
  if (!is_ice_word(offer.ufrag, 4))
    refuse("expected a=ice-ufrag of 4 to 256 characters, found " + excerpt(offer.ufrag));
  if (!is_ice_word(offer.password, 22)) {
    refuse("expected a=ice-pwd of 22 to 256 characters, found " + std::to_string(offer.password.size()));
  }
  if (!is_fingerprint(offer.fingerprint)) {
    refuse("expected a=fingerprint, such as sha-256 AB:CD:..., found " + excerpt(offer.fingerprint));
  }
  if (offer.setup != "actpass" && offer.setup != "active" && offer.setup != "passive") {
    refuse("expected a=setup:actpass, active or passive, found " + excerpt(offer.setup));
  }
  for (std::string& value : attributes_of(first, "candidate")) {
    std::string candidate = "candidate:" + std::move(value);
    if (offer.candidates.size() < kMostCandidates && is_ice_candidate(candidate)) {
      offer.candidates.push_back(std::move(candidate));
    }
  }
}

// ----------------------------------------------------------------------------------------- m-lines

std::string mid_of(const GstSDPMedia* media) {
  std::string mid = text_of(gst_sdp_media_get_attribute_val(media, "mid"));
  const auto is_token = [](char c) { return c > ' ' && c <= '~'; };
  if (mid.empty() || mid.size() > kLongestMid || !std::all_of(mid.begin(), mid.end(), is_token)) {
    refuse("expected a=mid of 1 to 32 characters in each m-line, found " + excerpt(mid));
  }
  return mid;
}

/// All m-lines must share one transport.
void check_bundle(const GstSDPMessage* sdp, const Offer& offer) {
  if (!offer.data_channel) return;
  std::istringstream group(text_of(gst_sdp_message_get_attribute_val(sdp, "group")));
  const std::set<std::string> words{std::istream_iterator<std::string>(group), {}};
  if (!words.contains("BUNDLE") || !words.contains(offer.audio.mid) ||
      !words.contains(offer.data_channel->mid) || offer.audio.mid == offer.data_channel->mid) {
    refuse("expected a=group:BUNDLE with the mid of each m-line, found " + excerpt(group.str()));
  }
}

/// The payload type that stands for Opus.
int opus_of(const GstSDPMedia* media) {
  for (const std::string& map : attributes_of(media, "rtpmap")) {
    const size_t space = map.find(' ');
    if (space == std::string::npos || lower(map.substr(space + 1)) != "opus/48000/2") continue;
    const auto type = number_in(std::string_view(map).substr(0, space), 0, 127);
    if (type) return *type;
  }
  refuse("expected Opus (a=rtpmap:... opus/48000/2) among the audio's codecs, found none");
}

/// Whether the client wants to hear, too.
bool hears(const GstSDPMessage* sdp, const GstSDPMedia* media) {
  for (const char* direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
    if (!has_attribute(media, direction)) continue;
    if (direction == std::string_view("sendrecv")) return true;
    if (direction == std::string_view("sendonly")) return false;
    refuse(std::string("expected audio that is sent, sendrecv or sendonly, found ") + direction);
  }
  return gst_sdp_message_get_attribute_val(sdp, "sendonly") == nullptr;  // sendrecv where nothing is said.
}

Offer::Audio read_audio(const GstSDPMessage* sdp, const GstSDPMedia* media, size_t index) {
  const std::string protocol = text_of(gst_sdp_media_get_proto(media));
  if (protocol != kAudioProtocol) {
    refuse(std::string("expected audio over ") + kAudioProtocol + ", found " + excerpt(protocol));
  }
  if (!has_attribute(media, "rtcp-mux")) refuse("expected audio with a=rtcp-mux, found it without");
  Offer::Audio audio{mid_of(media), index, opus_of(media), hears(sdp, media), {}};
  const std::string ssrc = text_of(gst_sdp_media_get_attribute_val(media, "ssrc"));
  audio.ssrc = number_in<uint32_t>(std::string_view(ssrc).substr(0, ssrc.find(' ')), 0, UINT32_MAX);
  return audio;
}

Offer::DataChannel read_data_channel(const GstSDPMedia* media) {
  const std::string protocol = text_of(gst_sdp_media_get_proto(media));
  const std::string format = text_of(gst_sdp_media_get_format(media, 0));
  if (protocol != kDataProtocol || format != kDataFormat) {
    refuse(std::string("expected a data channel, ") + kDataProtocol + " " + kDataFormat + ", found " +
           excerpt(protocol + " " + format));
  }
  const std::string port = text_of(gst_sdp_media_get_attribute_val(media, "sctp-port"));
  const auto number = number_in(port, 1, 65535);
  if (!number) refuse("expected a=sctp-port of 1 to 65535 for the data channel, found " + excerpt(port));
  return {mid_of(media), *number};
}

void write_transport(std::ostringstream& sdp, const Offer& offer, const std::string& mid) {
  sdp << "c=IN IP4 0.0.0.0\r\na=mid:" << mid << "\r\na=ice-ufrag:" << offer.ufrag
      << "\r\na=ice-pwd:" << offer.password << "\r\na=fingerprint:" << offer.fingerprint
      << "\r\na=setup:" << offer.setup << "\r\n";
}

void write_audio(std::ostringstream& sdp, const Offer& offer) {
  const int type = offer.audio.payload_type;
  sdp << "m=audio 9 " << kAudioProtocol << ' ' << type << "\r\n";
  write_transport(sdp, offer, offer.audio.mid);
  sdp << "a=rtcp-mux\r\na=" << (offer.audio.hears ? "sendrecv" : "sendonly") << "\r\na=rtpmap:" << type
      << " opus/48000/2\r\na=fmtp:" << type << " minptime=10;useinbandfec=1\r\n";
  if (offer.audio.ssrc) sdp << "a=ssrc:" << *offer.audio.ssrc << " cname:client\r\n";
}

void write_data_channel(std::ostringstream& sdp, const Offer& offer) {
  sdp << "m=application 9 " << kDataProtocol << ' ' << kDataFormat << "\r\n";
  write_transport(sdp, offer, offer.data_channel->mid);
  sdp << "a=sctp-port:" << offer.data_channel->port << "\r\n";
}

}  // namespace

Offer parse_offer(const std::string& text) {
  const Sdp sdp = parse(text);
  Offer offer;
  bool found_audio = false;
  const guint lines = gst_sdp_message_medias_len(sdp.get());
  for (guint i = 0; i < lines; ++i) {
    const GstSDPMedia* media = gst_sdp_message_get_media(sdp.get(), i);
    const std::string kind = text_of(gst_sdp_media_get_media(media));
    if (kind == "audio" && !found_audio) {
      offer.audio = read_audio(sdp.get(), media, i);
      found_audio = true;
    } else if (kind == "application" && !offer.data_channel) {
      offer.data_channel = read_data_channel(media);
    } else {
      refuse("expected one m=audio and at most one data channel, found a further m=" + kind.substr(0, 20));
    }
  }
  if (!found_audio) refuse("expected an m-line of audio, found none");
  check_bundle(sdp.get(), offer);
  read_transport(sdp.get(), gst_sdp_message_get_media(sdp.get(), 0), offer);
  return offer;
}

std::string to_sdp(const Offer& offer) {
  const bool audio_first = offer.audio.index == 0;
  std::ostringstream sdp;
  sdp << "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE";
  if (!audio_first) sdp << ' ' << offer.data_channel->mid;
  sdp << ' ' << offer.audio.mid;
  if (audio_first && offer.data_channel) sdp << ' ' << offer.data_channel->mid;
  sdp << "\r\n";
  if (!audio_first) write_data_channel(sdp, offer);
  write_audio(sdp, offer);
  if (audio_first && offer.data_channel) write_data_channel(sdp, offer);
  return sdp.str();
}

}  // namespace serve
