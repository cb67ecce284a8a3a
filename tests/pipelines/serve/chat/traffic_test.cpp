// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/traffic.h"

#include <gio/gio.h>
#include <gtest/gtest.h>

#include <string>

namespace serve {
namespace {

TEST(Traffic, OfASocketThatIsClosedIsNotTooMuch) {
  GSocketListener* listener = g_socket_listener_new();
  const guint16 port = g_socket_listener_add_any_inet_port(listener, nullptr, nullptr);
  GSocketClient* client = g_socket_client_new();
  GSocketConnection* there = g_socket_client_connect_to_host(client, "localhost", port, nullptr, nullptr);
  GSocketConnection* here = g_socket_listener_accept(listener, nullptr, nullptr, nullptr);
  ASSERT_TRUE(there != nullptr && here != nullptr);
  GSocket* socket = g_socket_connection_get_socket(here);
  Traffic traffic(socket);
  std::string speech(1000, 's');
  g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(there)), speech.data(), speech.size(),
                            nullptr, nullptr, nullptr);
  EXPECT_GT(g_socket_receive(socket, speech.data(), speech.size(), nullptr, nullptr), 0);
  EXPECT_FALSE(traffic.too_much());
  g_socket_close(socket, nullptr);
  EXPECT_FALSE(traffic.too_much());
  g_object_unref(here);
  g_object_unref(there);
  g_object_unref(client);
  g_object_unref(listener);
}

}  // namespace
}  // namespace serve
