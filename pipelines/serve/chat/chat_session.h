// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One client of /api/chat: its messages to a pipeline of its own, and what that says to messages.
#pragma once

#include <gst/app/gstappsink.h>
#include <libsoup/soup.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "options.h"
#include "pipeline.h"
#include "serve/chat/chat_settings.h"
#include "serve/chat/frame_source.h"
#include "serve/chat/ogg_opus.h"
#include "serve/chat/traffic.h"
#include "serve/http/rate.h"
#include "serve/server.h"
#include "serve/session.h"

namespace serve {

/// First byte of a message.
enum class Kind : uint8_t { Handshake = 0, Audio = 1, Text = 2, Metadata = 4, Error = 5, Ping = 6 };

class ChatSession : public Session {
 public:
  /// The conversation begins at once; `socket` is beneath its connection.
  ChatSession(Server& server, SoupWebsocketConnection* connection, GSocket* socket, const Caller& caller,
              const ChatSettings& settings);
  ~ChatSession() override;

  void close(Ending ending) override;
  [[nodiscard]] Counts counts() const override;

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
  /// Ends what answers no more.
  void watch();
  /// Ends the conversation without a goodbye, which would not reach the client.
  void cut_off(Ending ending);
  /// The connection is; why, as it seems.
  void lost(Ending ending);
  /// Ends the conversation for a reason that the client is told.
  void fail(Ending ending, const std::string& line);
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
  std::vector<gulong> signals_;
  Recordings::Handle recording_;
  Pipeline pipeline_;
  std::unique_ptr<FrameSource> source_;
  OggOpusReader reader_;
  std::vector<float> heard_;  ///< Room for a message's samples.
  uint64_t most_frames_;
  int sample_rate_;
  Traffic traffic_;
  TokenBucket speech_;  ///< Seconds.
  Metrics& metrics_;
  double begun_;
  double heard_from_;  ///< When the client last sent anything.
  guint bus_watch_ = 0;
  guint ping_ = 0;
  guint watch_ = 0;

  mutable std::mutex mutex_;  // For what follows.
  OggOpusWriter writer_;
  std::vector<Text> texts_;                    ///< Of frames whose audio is still to come.
  GstClockTime spoken_ = GST_CLOCK_TIME_NONE;  ///< The last frame's.
  uint64_t frames_ = 0;
  std::deque<GBytes*> outbox_;
  guint delivery_ = 0;
  bool sent_ = false;  ///< Anything since the last ping.
};

}  // namespace serve
