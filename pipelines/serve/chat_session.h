// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One client of /api/chat: its messages to a pipeline of its own, and what that says to messages.
#pragma once

#include <gst/app/gstappsink.h>
#include <libsoup/soup.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "options.h"
#include "pipeline.h"
#include "serve/chat_settings.h"
#include "serve/frame_source.h"
#include "serve/ogg_opus.h"

namespace serve {

/// First byte of a message.
enum class Kind : uint8_t { Handshake = 0, Audio = 1, Text = 2, Error = 5, Ping = 6 };

/// Lives in the thread of the default main context.
class ChatSession {
 public:
  /// The conversation begins at once. `on_end` is called when it is over; its owner then destroys this, but
  /// not before the call has returned.
  ChatSession(SoupWebsocketConnection* connection, const CommonOptions& model, const moshi::CodecInfo& codec,
              const ChatSettings& settings, std::function<void()> on_end);
  ~ChatSession();
  ChatSession(const ChatSession&) = delete;
  ChatSession& operator=(const ChatSession&) = delete;

  /// Says goodbye with a WebSocket close code (RFC 6455, section 7.4); the session ends when the client has
  /// answered, or gone.
  void close(gushort code, const std::string& reason);

 private:
  struct Text {
    GstClockTime pts;
    std::string piece;
  };

  GstElement* add_sink(GstFlowReturn (*handler)(GstAppSink*, gpointer));
  template <void (ChatSession::*Use)(GstBuffer*)>
  static GstFlowReturn pulled(GstAppSink* sink, gpointer self);
  void connect_signals();
  void receive(GBytes* message);
  void fail(const std::string& line);
  /// Calls on_end, once.
  void end();
  /// On streaming threads.
  void speak(GstBuffer* audio);
  void say(GstBuffer* text);
  void say_due(GstClockTime pts);
  void post(Kind kind, const void* payload, size_t size);
  void post(Kind kind, const std::string& payload) { post(kind, payload.data(), payload.size()); }
  static gboolean try_delivery(gpointer self);
  /// Sends what was posted, as far as the network takes it.
  void deliver();
  void handle(GstMessage* message);

  SoupWebsocketConnection* connection_;
  std::function<void()> on_end_;
  std::vector<gulong> signals_;
  Pipeline pipeline_;
  std::unique_ptr<FrameSource> source_;
  OggOpusReader reader_;
  std::vector<float> heard_;  ///< Room for a message's samples.
  uint64_t most_frames_;
  guint bus_watch_ = 0;
  guint ping_ = 0;

  std::mutex mutex_;  // For what follows.
  OggOpusWriter writer_;
  std::vector<Text> texts_;                    ///< Of frames whose audio is still to come.
  GstClockTime spoken_ = GST_CLOCK_TIME_NONE;  ///< The last frame's.
  uint64_t frames_ = 0;
  std::deque<GBytes*> outbox_;
  guint delivery_ = 0;
  bool sent_ = false;  ///< Anything since the last ping.
};

}  // namespace serve
