// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <set>

#include "address.h"
#include "call.h"

/// Calls over RTP in µ-law or A-law at one UDP address. Who sends there from a new address has a call, and is
/// answered at that address, in the codec of the first packet.
class RtpCalls {
 public:
  /// Throws Failure where the address cannot be had.
  explicit RtpCalls(const std::string& address);
  ~RtpCalls();
  RtpCalls(const RtpCalls&) = delete;
  RtpCalls& operator=(const RtpCalls&) = delete;

  /// HOST:PORT, with the port chosen where 0 was asked for.
  [[nodiscard]] std::string address() const;
  /// Takes calls from now on, in the default main context. `phone` must outlive its switchboard's calls.
  void start(Phone& phone);

 private:
  void receive();
  void take(GSocketAddress* peer, int payload_type);
  /// The call's own socket: the kernel gives it what comes from this peer.
  [[nodiscard]] ObjectHandle<GSocket> connect(GSocketAddress* peer) const;
  void hold(int call, GCancellable* end, GSocket* socket, GSocketAddress* peer, int payload_type);

  ObjectHandle<GSocket> socket_;
  GSource* source_ = nullptr;
  Phone* phone_ = nullptr;
  bool full_ = false;  ///< And has said so.
  std::mutex mutex_;
  std::set<std::string> peers_;  ///< In calls.
};
