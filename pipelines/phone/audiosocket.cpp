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

std::string hex(uint8_t byte) {
  constexpr const char* digits = "0123456789abcdef";
  return {digits[byte >> 4], digits[byte & 15]};
}

std::string kind_of(uint8_t kind) { return "a message of kind 0x" + hex(kind); }

std::string bytes(size_t count) { return std::to_string(count) + (count == 1 ? " byte" : " bytes"); }

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
  const auto first = message();
  if (!first) return {};
  if (first->kind != kId) {
    throw malformed("an AudioSocket call, which begins with a UUID (kind 0x01)",
                    kind_of(first->kind) + "; connect Asterisk's AudioSocket here and nothing else");
  }
  if (first->payload.size() != kIdSize) {
    throw malformed("a UUID of " + bytes(kIdSize), bytes(first->payload.size()));
  }
  std::string text;
  for (size_t i = 0; i < kIdSize; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex(first->payload[i]);
  }
  return text;
}

std::optional<Speech> Reader::speech() {
  for (;;) {
    auto next = message();
    if (!next || next->kind == kHangUp) return {};
    if (next->kind == kKey) continue;
    if (next->kind == kError) {
      throw malformed("speech", "an error of the other side" +
                                    (next->payload.empty() ? "" : ", 0x" + hex(next->payload[0])));
    }
    if (next->kind < kSpeech || next->kind >= kSpeech + kRates.size()) {
      throw malformed("speech (kinds 0x10 to 0x18), a key (0x03) or the end (0x00)", kind_of(next->kind));
    }
    if (next->payload.size() % 2 != 0) {
      throw malformed("samples of 2 bytes", bytes(next->payload.size()) + " of them");
    }
    const int rate = kRates[next->kind - kSpeech];
    if (rate_ != 0 && rate != rate_) {
      throw malformed("speech at " + std::to_string(rate_) + " Hz as before", std::to_string(rate) + " Hz");
    }
    rate_ = rate;
    if (!next->payload.empty()) return Speech{rate, std::move(next->payload)};
  }
}

std::optional<Reader::Message> Reader::message() {
  std::array<uint8_t, kHeaderSize> header{};
  if (!read(header, true)) return {};
  Message message{header[0], std::vector<uint8_t>(static_cast<size_t>(header[1] << 8 | header[2]))};
  if (!message.payload.empty() && !read(message.payload, false)) return {};
  return message;
}

bool Reader::read(std::span<uint8_t> bytes_wanted, bool begins_message) {
  gsize size = 0;
  GError* error = nullptr;
  const bool done =
      g_input_stream_read_all(stream_, bytes_wanted.data(), bytes_wanted.size(), &size, cancel_, &error) != 0;
  // Reset, timed out or cancelled: an end like another.
  if (!done) g_error_free(error);
  if (!done || (begins_message && size == 0)) return false;
  if (size < bytes_wanted.size()) {
    throw malformed(
        "a message of " + bytes(bytes_wanted.size()) + (begins_message ? " or more" : " after its length"),
        "the end of the connection after " + bytes(size));
  }
  return true;
}

std::vector<uint8_t> hang_up() { return make_message(kHangUp, {}); }

std::vector<uint8_t> speech(int rate, std::span<const uint8_t> samples) {
  const auto index = std::find(kRates.begin(), kRates.end(), rate) - kRates.begin();
  return make_message(static_cast<uint8_t>(kSpeech + index), samples);
}

}  // namespace audiosocket
