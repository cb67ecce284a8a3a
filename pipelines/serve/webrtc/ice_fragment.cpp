// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/webrtc/ice_fragment.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "serve/webrtc/sdp_error.h"

namespace serve {
namespace {

constexpr size_t kLongestWord = 256;
constexpr size_t kLongestCandidate = 512;

bool is_ice_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_number(const std::string& text, uint32_t most) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= most;
}

/// Sets `value` where `attribute` is that of this name.
void read(const std::string& attribute, const std::string& name, std::string& value) {
  if (attribute.starts_with(name + ":")) value = attribute.substr(name.size() + 1);
}

}  // namespace

bool is_ice_word(std::string_view text, size_t least) {
  return text.size() >= least && text.size() <= kLongestWord &&
         std::all_of(text.begin(), text.end(), is_ice_char);
}

bool is_ice_candidate(std::string_view text) {
  constexpr std::string_view kPrefix = "candidate:";
  if (!text.starts_with(kPrefix) || text.size() > kLongestCandidate || !is_printable(text)) return false;
  std::istringstream words{std::string(text.substr(kPrefix.size()))};
  std::string foundation, component, transport, priority, address, port, typ, kind;
  words >> foundation >> component >> transport >> priority >> address >> port >> typ >> kind;
  constexpr std::string_view kKinds[] = {"host", "srflx", "prflx", "relay"};
  // Candidates of TCP would be of no use: ICE-TCP is off.
  return is_ice_word(foundation, 1) && is_number(component, 256) &&
         (transport == "udp" || transport == "UDP") && is_number(priority, UINT32_MAX) &&
         is_number(port, UINT16_MAX) && typ == "typ" &&
         std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

IceFragment parse_ice_fragment(const std::string& text) {
  IceFragment fragment;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    if (line.size() < 2 || line[1] != '=' || !is_printable(line)) {
      throw SdpError(400,
                     "expected lines of an SDP fragment, such as a=candidate:..., found " + excerpt(line));
    }
    if (line[0] != 'a') continue;
    const std::string attribute = line.substr(2);
    read(attribute, "ice-ufrag", fragment.ufrag);
    read(attribute, "ice-pwd", fragment.password);
    if (is_ice_candidate(attribute)) fragment.candidates.push_back(attribute);
  }
  return fragment;
}

}  // namespace serve
