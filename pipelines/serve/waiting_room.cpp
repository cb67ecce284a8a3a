// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/waiting_room.h"

#include <algorithm>
#include <utility>

namespace serve {

WaitingRoom::WaitingRoom(Admission& admission, int seconds)
    : admission_(admission), seconds_(static_cast<guint>(seconds)) {
  // Not at once: a place is given back while its conversation is taken down.
  admission_.call_when_free([this] {
    if (door_ != 0 || waiting_.empty()) return;
    door_ = g_idle_add(
        [](gpointer self) -> gboolean {
          auto* room = static_cast<WaitingRoom*>(self);
          room->door_ = 0;
          room->let_in();
          return G_SOURCE_REMOVE;
        },
        this);
  });
}

WaitingRoom::~WaitingRoom() {
  admission_.call_when_free(nullptr);
  if (door_ != 0) g_source_remove(door_);
  for (const Waiting& waiting : waiting_) g_source_remove(waiting.patience);
}

bool WaitingRoom::open() const {
  return seconds_ > 0 && !admission_.draining() && waiting_.size() < admission_.places();
}

void WaitingRoom::wait(Turn turn) {
  Waiting& waiting = waiting_.emplace_back(Waiting{this, std::move(turn), 0});
  waiting.patience = g_timeout_add_seconds(
      seconds_,
      [](gpointer data) -> gboolean {
        WaitingRoom& room = *static_cast<Waiting*>(data)->room;
        room.call(std::find_if(room.waiting_.begin(), room.waiting_.end(),
                               [data](const Waiting& entry) { return &entry == data; }),
                  nullptr);
        return G_SOURCE_CONTINUE;  // call() has removed it.
      },
      &waiting);
}

void WaitingRoom::clear() {
  while (!waiting_.empty()) call(waiting_.begin(), nullptr);
}

void WaitingRoom::let_in() {
  while (!waiting_.empty()) {
    Admission::Place place = admission_.take();
    if (place == nullptr) return;
    call(waiting_.begin(), std::move(place));
  }
}

void WaitingRoom::call(std::list<Waiting>::iterator waiting, Admission::Place place) {
  const Turn turn = std::move(waiting->turn);
  g_source_remove(waiting->patience);
  waiting_.erase(waiting);
  turn(std::move(place));
}

}  // namespace serve
