// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A conversation as the server sees it, whatever carries it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace serve {

/// Why a conversation ended.
enum class Ending { Client, Stopping, Steps, NotReading, BadInput, Failed };

/// As logs and metrics name it: "client", "stopping", ...
const char* name_of(Ending ending);

/// What went to and fro so far.
struct Counts {
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t frames_dropped = 0;  ///< Came too fast.
};

/// Lives in the thread of the default main context.
class Session {
 public:
  /// `transport`: "websocket" or "webrtc"; `remote`: the client's address.
  Session(const char* transport, std::string remote);
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// 128 random bits in hexadecimal digits.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const char* transport() const { return transport_; }
  [[nodiscard]] const std::string& remote() const { return remote_; }
  /// Why it ended, or is about to.
  [[nodiscard]] Ending ending() const { return ending_; }

  /// Says goodbye; the conversation ends when the client has answered, or is gone.
  virtual void close(Ending ending) = 0;
  [[nodiscard]] virtual Counts counts() const = 0;

  /// `on_end` is called once, when the conversation is over; its owner then destroys this, but not before the
  /// call has returned.
  void call_at_end(std::function<void()> on_end) { on_end_ = std::move(on_end); }

 protected:
  /// The first reason stays.
  void ends_because(Ending ending);
  /// The conversation is over.
  void end();

 private:
  std::string id_;
  const char* transport_;
  std::string remote_;
  Ending ending_ = Ending::Client;
  std::function<void()> on_end_;
};

}  // namespace serve
