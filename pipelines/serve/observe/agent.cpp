// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/observe/agent.h"

#include <algorithm>

namespace serve {

std::string agent_line(const Admission& admission) {
  if (admission.draining()) return "drain\n";
  const size_t free = admission.places() - admission.used();
  const size_t percent = std::max<size_t>(1, free * 100 / admission.places());
  return "up ready " + std::to_string(percent) + "%\n";
}

GSocketService* new_agent(Admission& admission) {
  GSocketService* service = g_socket_service_new();
  const auto answer =
      +[](GSocketService*, GSocketConnection* connection, GObject*, gpointer data) -> gboolean {
    const std::string line = agent_line(*static_cast<const Admission*>(data));
    // A new connection takes a line at once.
    g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), line.data(),
                              line.size(), nullptr, nullptr, nullptr);
    return TRUE;
  };
  g_signal_connect(service, "incoming", G_CALLBACK(answer), &admission);
  return service;
}

}  // namespace serve
