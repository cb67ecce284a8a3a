// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/traffic.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <utility>

#include "serve/clock.h"

namespace serve {
namespace {

constexpr double kBytesPerSecond = 64 * 1024;
constexpr double kBytesAtOnce = 512 * 1024;
constexpr std::chrono::milliseconds kLookEvery{50};

}  // namespace

Traffic::Traffic(GSocket* socket) : socket_(socket), allowed_(kBytesAtOnce, kBytesPerSecond) {
  g_object_ref(socket_);
  counted_ = received();
  thread_ = std::thread([this] { look_on(); });
}

Traffic::~Traffic() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  over_.notify_one();
  thread_.join();
  g_object_unref(socket_);
}

void Traffic::look_on() {
  std::unique_lock lock(mutex_);
  while (!over_.wait_for(lock, kLookEvery, [this] { return ends_; })) {
    const uint64_t total = received();
    const auto bytes = static_cast<double>(total - std::exchange(counted_, total));
    if (allowed_.take(bytes, now())) continue;
    too_much_ = true;
    g_socket_shutdown(socket_, TRUE, TRUE, nullptr);
    return;
  }
}

uint64_t Traffic::received() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  // A socket that is closed already has brought nothing more.
  const bool known = getsockopt(g_socket_get_fd(socket_), IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  return known ? info.tcpi_bytes_received : counted_;
}

}  // namespace serve
