// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// AudioSocket, Asterisk's protocol for the sound of a call over TCP: messages of a byte for their kind, two
// for the length of what follows (big endian), and that.
#pragma once

#include <gio/gio.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace audiosocket {

/// Speech of one message: samples of 16 bits, little endian.
struct Speech {
  int rate = 0;
  std::vector<uint8_t> samples;
};

/// Reads the messages of one call. Throws Failure for what is no AudioSocket.
class Reader {
 public:
  /// Both must outlive it; `cancel` ends the call for the reader.
  Reader(GInputStream* stream, GCancellable* cancel) : stream_(stream), cancel_(cancel) {}
  /// The UUID, which comes first. Nothing where the other side ends before.
  std::optional<std::string> id();
  /// The next speech; keys pressed are passed over. Nothing at the end: hung up, closed, silent for the
  /// time-out.
  std::optional<Speech> speech();

 private:
  /// Reads a message's header; nothing at the end.
  std::optional<uint8_t> next_kind();
  /// Reads what follows it; nothing at the end.
  std::optional<std::vector<uint8_t>> payload();
  /// Bytes read, fewer than wanted where the connection was closed; nothing where it was reset, timed out or
  /// cancelled.
  std::optional<size_t> read(std::span<uint8_t> wanted);

  GInputStream* stream_;
  GCancellable* cancel_;
  size_t length_ = 0;  ///< Of the message's payload.
  int rate_ = 0;       ///< Of the speech so far.
};

/// The message that hangs up.
std::vector<uint8_t> hang_up();

/// The message of some samples at `rate`, one of those that Reader gives.
std::vector<uint8_t> speech(int rate, std::span<const uint8_t> samples);

}  // namespace audiosocket
