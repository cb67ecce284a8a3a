// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Where requests wait for a place, first come, first served: at most as many as there are places.
#pragma once

#include <glib.h>

#include <functional>
#include <list>

#include "serve/admission.h"

namespace serve {

/// Lives in the thread of the default main context.
class WaitingRoom {
 public:
  /// Hears where its wait ends: with a place, or with null where there was none in time.
  using Turn = std::function<void(Admission::Place place)>;

  /// Nobody waits longer than `seconds`; 0: nobody waits.
  WaitingRoom(Admission& admission, int seconds);
  ~WaitingRoom();
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  /// Whether one more may wait.
  [[nodiscard]] bool open() const;
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  void wait(Turn turn);
  /// Sends all away.
  void clear();

 private:
  struct Waiting {
    WaitingRoom* room;
    Turn turn;
    guint patience;
  };

  /// Lets the first ones in, as far as there are places.
  void let_in();
  /// Ends the wait of the one at `place`.
  void call(std::list<Waiting>::iterator waiting, Admission::Place place);

  Admission& admission_;
  guint seconds_;
  std::list<Waiting> waiting_;
  guint door_ = 0;
};

}  // namespace serve
