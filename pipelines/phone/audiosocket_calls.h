// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "address.h"
#include "call.h"

/// Calls over AudioSocket at one TCP address; each connection is one.
class AudioSocketCalls {
 public:
  /// Throws Failure where the address cannot be had.
  explicit AudioSocketCalls(const std::string& address);
  ~AudioSocketCalls();
  AudioSocketCalls(const AudioSocketCalls&) = delete;
  AudioSocketCalls& operator=(const AudioSocketCalls&) = delete;

  /// HOST:PORT, with the port chosen where 0 was asked for.
  [[nodiscard]] std::string address() const { return address_; }
  /// Takes calls from now on, in the default main context. `phone` must outlive its switchboard's calls.
  void start(Phone& phone);

 private:
  void take(GSocketConnection* connection);
  void hold(int call, GCancellable* end, GSocketConnection* connection, const std::string& peer);

  ObjectHandle<GSocketService> service_;
  std::string address_;
  Phone* phone_ = nullptr;
};
