// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A conversation as the server sees it, whatever carries it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace serve {

/// Who asked for a conversation.
struct Caller {
  std::string remote;    ///< Address.
  std::string trace_id;  ///< What the caller's own logs know the request by; may be empty.
};

/// Why a conversation ended.
enum class Ending {
  Client,      ///< The client ended it.
  Gone,        ///< The client answers no more.
  Stopping,    ///< The server stops.
  Steps,       ///< It has had the steps it was to have.
  TooLong,     ///< It has had its time.
  Idle,        ///< The client sent no speech.
  TooMuch,     ///< The client sent more than speech needs.
  NotReading,  ///< The client does not take what it is sent.
  BadInput,    ///< The client sent something else than speech.
  Failed       ///< An error of this server.
};

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
  /// `transport`: "websocket" or "webrtc".
  Session(const char* transport, Caller caller);
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// 128 random bits in hexadecimal digits.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const char* transport() const { return transport_; }
  [[nodiscard]] const Caller& caller() const { return caller_; }
  /// Why it ended, or is about to.
  [[nodiscard]] Ending ending() const { return ending_; }
  /// One line about that, may be empty.
  [[nodiscard]] const std::string& detail() const { return detail_; }

  /// Says goodbye; the conversation ends when the client has answered, or is gone.
  virtual void close(Ending ending) = 0;
  [[nodiscard]] virtual Counts counts() const = 0;

  /// `on_end` is called once, when the conversation is over; its owner then destroys this, but not before the
  /// call has returned.
  void call_at_end(std::function<void()> on_end) { on_end_ = std::move(on_end); }

 protected:
  /// The first reason stays.
  void ends_because(Ending ending, const std::string& detail = "");
  /// The conversation is over.
  void end();

 private:
  std::string id_;
  const char* transport_;
  Caller caller_;
  Ending ending_ = Ending::Client;
  std::string detail_;
  std::function<void()> on_end_;
};

}  // namespace serve
