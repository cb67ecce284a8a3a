// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <future>
#include <list>
#include <memory>
#include <string>

#include "serve/observe/log.h"
#include "serve/recording/recording.h"
#include "serve/session.h"

namespace serve {

/// The recordings of a server's conversations, where they are wanted.
class Recordings {
 public:
  /// Finishes a recording while the server goes on.
  struct Finish {
    Recordings* all = nullptr;
    void operator()(Recording* recording) const { all->finish(recording); }
  };
  /// A recording under way: it is finished when this goes, after the pipeline it listens to. May be null.
  using Handle = std::unique_ptr<Recording, Finish>;

  /// `directory` empty: nothing is recorded. Throws Failure where nothing can be written there. `log` hears
  /// of recordings that are lost.
  Recordings(std::string directory, std::string model, int64_t frame_ns, const Log& log);

  /// Records a conversation from now on.
  Handle begin(const Session& session, const Recording::Taps& taps);
  [[nodiscard]] bool wanted() const { return !directory_.empty(); }

 private:
  void finish(Recording* recording);

  std::string directory_;
  std::string model_;
  int64_t frame_ns_;
  const Log& log_;
  std::list<std::future<void>> finishing_;  ///< Waited for at the end.
};

}  // namespace serve
