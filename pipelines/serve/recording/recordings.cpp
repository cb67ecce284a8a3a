// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/recording/recordings.h"

#include <unistd.h>

#include <utility>

#include "serve/clock.h"

namespace serve {

Recordings::Recordings(std::string directory, std::string model, int64_t frame_ns, const Log& log)
    : directory_(std::move(directory)), model_(std::move(model)), frame_ns_(frame_ns), log_(log) {
  if (!wanted()) return;
  if (!std::filesystem::is_directory(directory_) || access(directory_.c_str(), W_OK | X_OK) != 0)
    throw Failure(Status::BadFile,
                  "--record " + directory_ + ": expected a directory to write in, found none");
}

Recordings::Handle Recordings::begin(const Session& session, const Recording::Taps& taps) {
  if (!wanted()) return {nullptr, {this}};
  const nlohmann::ordered_json head = {{"session", session.id()},
                                       {"transport", session.transport()},
                                       {"begun", time_now("%Y-%m-%dT%H:%M:%SZ")},
                                       {"model", model_}};
  const std::filesystem::path path =
      std::filesystem::path(directory_) / (time_now("%Y%m%dT%H%M%SZ-") + session.id());
  return {new Recording(path, head, frame_ns_, taps), {this}};
}

void Recordings::finish(Recording* recording) {
  finishing_.remove_if([](const std::future<void>& done) {
    return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  });
  finishing_.push_back(std::async(std::launch::async, [this, owned = std::unique_ptr<Recording>(recording)] {
    try {
      owned->finish();
    } catch (const std::exception& error) {
      log_.trouble(std::string("a recording is lost: ") + error.what());
    }
  }));
}

}  // namespace serve
