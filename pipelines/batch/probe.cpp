// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/probe.h"

#include <gst/pbutils/pbutils.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "pipeline.h"

namespace fs = std::filesystem;

namespace batch {

double declared_seconds(const std::string& path) {
  const ObjectHandle<GstDiscoverer> discoverer(gst_discoverer_new(10 * GST_SECOND, nullptr));
  const GstHandle<gchar> uri(gst_filename_to_uri(path.c_str(), nullptr));
  if (!discoverer || !uri) return 0;
  const ObjectHandle<GstDiscovererInfo> info(
      gst_discoverer_discover_uri(discoverer.get(), uri.get(), nullptr));
  if (!info) return 0;
  const GstClockTime duration = gst_discoverer_info_get_duration(info.get());
  return GST_CLOCK_TIME_IS_VALID(duration) ? static_cast<double>(duration) * 1e-9 : 0;
}

void check_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char head[12] = {};
  file.read(head, sizeof head);
  if (!file || std::memcmp(head, "RIFF", 4) != 0 || std::memcmp(head + 8, "WAVE", 4) != 0) return;
  guint32 little_endian = 0;
  std::memcpy(&little_endian, head + 4, sizeof little_endian);
  const uint64_t promised = uint64_t{GUINT32_FROM_LE(little_endian)} + 8;
  std::error_code error;
  const uint64_t held = fs::file_size(path, error);
  // Programs that write to a pipe do not know the length, and say 0 or the most there is.
  const bool known = promised > 64 && promised < 0x7f000000U;
  if (!error && known && held + 1 < promised) {
    throw Failure(Status::BadFile, path + ": expected " + std::to_string(promised) +
                                       " bytes as its head says, found " + std::to_string(held) +
                                       "; it has been cut off");
  }
}

}  // namespace batch
