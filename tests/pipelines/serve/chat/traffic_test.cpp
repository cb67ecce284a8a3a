// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/traffic.h"

#include <gio/gio.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace serve {
namespace {

constexpr int kSpeechBytes = 1000;

class TrafficTest : public testing::Test {
 protected:
  TrafficTest() {
    const guint16 port = g_socket_listener_add_any_inet_port(listener_, nullptr, nullptr);
    there_ = g_socket_client_connect_to_host(client_, "localhost", port, nullptr, nullptr);
    here_ = g_socket_listener_accept(listener_, nullptr, nullptr, nullptr);
    socket_ = g_socket_connection_get_socket(here_);
  }
  ~TrafficTest() override {
    for (gpointer object : std::vector<gpointer>{here_, there_, client_, listener_}) g_object_unref(object);
  }
  /// What arrives when `speech` is sent; 0 or less where it does not.
  gssize pass(std::string speech) {
    g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(there_)), speech.data(),
                              speech.size(), nullptr, nullptr, nullptr);
    return g_socket_receive(socket_, speech.data(), speech.size(), nullptr, nullptr);
  }

  GSocketListener* listener_ = g_socket_listener_new();
  GSocketClient* client_ = g_socket_client_new();
  GSocketConnection* there_;
  GSocketConnection* here_;
  GSocket* socket_;
};

TEST_F(TrafficTest, OfASocketThatIsClosedIsNotTooMuch) {
  const Traffic traffic(socket_);
  EXPECT_GT(pass(std::string(kSpeechBytes, 's')), 0);
  g_socket_close(socket_, nullptr);
  g_usleep(G_USEC_PER_SEC / 5);
  EXPECT_FALSE(traffic.too_much());
}

TEST_F(TrafficTest, WithoutEndIsShut) {
  const Traffic traffic(socket_);
  while (pass(std::string(kSpeechBytes, 's')) > 0) {
  }
  EXPECT_TRUE(traffic.too_much());
}

}  // namespace
}  // namespace serve
