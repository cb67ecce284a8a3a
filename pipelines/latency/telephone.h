// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A telephone call to this machine, both ends of it.
#pragma once

#include <thread>

#include "latency/echo.h"
#include "phone/rtp_calls.h"

namespace latency {

/// `gst-moshi phone --rtp`, while it lives.
class TelephoneService {
 public:
  /// `echo` is attached to the model of a call; both must outlive it.
  TelephoneService(const CommonOptions& options, bool allow_slow, const moshi::ExecutionContext& context,
                   Echo& echo);
  ~TelephoneService();
  TelephoneService(const TelephoneService&) = delete;
  TelephoneService& operator=(const TelephoneService&) = delete;

  /// HOST:PORT that takes calls.
  [[nodiscard]] std::string address() const { return calls_.address(); }
  /// The pipeline of the call, null before there is one.
  GstHandle<GstElement> pipeline();

 private:
  /// Keeps the call's model.
  void note(GstElement* model);

  PhoneOptions options_;
  CallLog log_;
  RtpCalls calls_;
  Switchboard switchboard_;
  Phone phone_;
  std::mutex mutex_;
  GstHandle<GstElement> model_;
  GMainLoop* loop_;
  std::thread thread_;  ///< Runs the loop.
};

/// A telephone's line: what it sends goes to `service` and what is answered comes back, in u-law.
class Telephone {
 public:
  explicit Telephone(const std::string& service);
  /// Adds what sends speech.
  GstElement* add_sender(Pipeline& pipeline) const;
  /// Adds what receives speech, `jitter_ms` later.
  GstElement* add_receiver(Pipeline& pipeline, int jitter_ms) const;

 private:
  ObjectHandle<GSocket> socket_;
  ObjectHandle<GSocketAddress> service_;
};

}  // namespace latency
