// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/traffic.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

namespace serve {
namespace {

constexpr double kBytesPerSecond = 64 * 1024;
constexpr double kBytesAtOnce = 512 * 1024;

}  // namespace

Traffic::Traffic(GSocket* socket) : socket_(socket), allowed_(kBytesAtOnce, kBytesPerSecond) {
  counted_ = received();
}

bool Traffic::too_much() {
  const uint64_t now = received();
  const auto bytes = static_cast<double>(now - std::exchange(counted_, now));
  return !allowed_.take(bytes, static_cast<double>(g_get_monotonic_time()) * 1e-6);
}

uint64_t Traffic::received() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  // A socket that is closed already has brought nothing more.
  const bool known = getsockopt(g_socket_get_fd(socket_), IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  return known ? info.tcpi_bytes_received : counted_;
}

}  // namespace serve
