// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The conversations under way, each in its place, and how long they may be.
#pragma once

#include <glib.h>

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "serve/admission.h"
#include "serve/session.h"

namespace serve {

/// Lives in the thread of the default main context.
class Sessions {
 public:
  struct Limits {
    int seconds = 0;       ///< Of a conversation; 0: any.
    int idle_seconds = 0;  ///< Without speech of the client; 0: any.
  };
  /// `on_end` is called for each conversation that is over, with the seconds it took.
  Sessions(Limits limits, std::function<void(const Session&, double seconds)> on_end);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  /// Holds a conversation until it ends.
  void keep(std::unique_ptr<Session> session, Admission::Place place);
  /// The conversation of that id, null where there is none.
  [[nodiscard]] Session* find(const std::string& id) const;
  [[nodiscard]] size_t size() const { return held_.size(); }
  /// Says goodbye to all.
  void close_all(Ending ending);
  /// Ends all at once: the server stops.
  void clear();

 private:
  struct Held {
    Admission::Place place;
    std::unique_ptr<Session> session;
    double begun;
    double heard;            ///< When there was speech last.
    uint64_t frames_in = 0;  ///< Until then.
  };

  void remove(const Session* session);
  /// Ends what has reached a limit; each second.
  void look();

  Limits limits_;
  std::function<void(const Session&, double seconds)> on_end_;
  std::list<Held> held_;
  guint watch_;
};

}  // namespace serve
