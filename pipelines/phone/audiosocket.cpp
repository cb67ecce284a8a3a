// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "audiosocket.h"

#include <algorithm>
#include <array>

#include "../report.h"

namespace audiosocket {
namespace {

constexpr uint8_t kHangUp = 0x00;
constexpr uint8_t kId = 0x01;
constexpr uint8_t kKey = 0x03;
constexpr uint8_t kSpeech = 0x10;
constexpr uint8_t kError = 0xff;
/// Of speech of kind 0x10, 0x11, ...
constexpr std::array kRates = {8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000};
constexpr size_t kIdSize = 16;
constexpr size_t kHeaderSize = 3;

Failure malformed(const std::string& expected, const std::string& found) {
  return {Status::Other, "expected " + expected + ", found " + found};
}

std::string bytes(size_t count) { return std::to_string(count) + (count == 1 ? " byte" : " bytes"); }

Failure cut_off(const std::string& expected, size_t size) {
  return malformed(expected, "the end of the connection after " + bytes(size));
}

std::string hex(uint8_t byte) {
  constexpr const char* digits = "0123456789abcdef";
  return {digits[byte >> 4], digits[byte & 15]};
}

std::string kind_of(uint8_t kind) { return "a message of kind 0x" + hex(kind); }

std::vector<uint8_t> make_message(uint8_t kind, std::span<const uint8_t> payload) {
  std::vector<uint8_t> message(kHeaderSize + payload.size());
  message[0] = kind;
  message[1] = static_cast<uint8_t>(payload.size() >> 8);
  message[2] = static_cast<uint8_t>(payload.size());
  std::copy(payload.begin(), payload.end(), message.begin() + kHeaderSize);
  return message;
}

}  // namespace

std::optional<std::string> Reader::id() {
  const auto kind = next_kind();
  if (!kind) return {};
  if (*kind != kId) {
    throw malformed("an AudioSocket call, which begins with a UUID (kind 0x01)",
                    kind_of(*kind) + "; connect Asterisk's AudioSocket here and nothing else");
  }
  const auto id = payload();
  if (!id) return {};
  if (id->size() != kIdSize) throw malformed("a UUID of " + bytes(kIdSize), bytes(id->size()));
  std::string text;
  for (size_t i = 0; i < kIdSize; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex((*id)[i]);
  }
  return text;
}

std::optional<Speech> Reader::speech() {
  for (;;) {
    const auto kind = next_kind();
    if (!kind || *kind == kHangUp) return {};
    const bool speaks = *kind >= kSpeech && *kind < kSpeech + kRates.size();
    if (!speaks && *kind != kKey && *kind != kError) {
      throw malformed("speech (kinds 0x10 to 0x18), a key (0x03) or the end (0x00)", kind_of(*kind));
    }
    auto content = payload();
    if (!content) return {};
    if (*kind == kError) {
      throw malformed(
          "speech", "an error of the other side" + (content->empty() ? "" : ", 0x" + hex(content->front())));
    }
    if (*kind == kKey || content->empty()) continue;
    if (content->size() % 2 != 0) throw malformed("samples of 2 bytes", bytes(content->size()) + " of them");
    const int rate = kRates[*kind - kSpeech];
    if (rate_ != 0 && rate != rate_) {
      throw malformed("speech at " + std::to_string(rate_) + " Hz as before", std::to_string(rate) + " Hz");
    }
    rate_ = rate;
    return Speech{rate, std::move(*content)};
  }
}

std::optional<uint8_t> Reader::next_kind() {
  std::array<uint8_t, kHeaderSize> header{};
  const auto size = read(header);
  if (!size || *size == 0) return {};
  if (*size < kHeaderSize) throw cut_off("a message of " + bytes(kHeaderSize) + " or more", *size);
  length_ = static_cast<size_t>(header[1] << 8 | header[2]);
  return header[0];
}

std::optional<std::vector<uint8_t>> Reader::payload() {
  std::vector<uint8_t> content(length_);
  const auto size = read(content);
  if (!size) return {};
  if (*size < length_) throw cut_off("a message of " + bytes(length_) + " after its length", *size);
  return content;
}

std::optional<size_t> Reader::read(std::span<uint8_t> wanted) {
  gsize size = 0;
  const bool done = wanted.empty() || g_input_stream_read_all(stream_, wanted.data(), wanted.size(), &size,
                                                              cancel_, nullptr) != 0;
  return done ? std::optional(size) : std::nullopt;
}

std::vector<uint8_t> hang_up() { return make_message(kHangUp, {}); }

std::vector<uint8_t> speech(int rate, std::span<const uint8_t> samples) {
  const auto index = std::find(kRates.begin(), kRates.end(), rate) - kRates.begin();
  return make_message(static_cast<uint8_t>(kSpeech + index), samples);
}

}  // namespace audiosocket
