// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/sessions.h"

#include <algorithm>
#include <utility>

#include "serve/clock.h"

namespace serve {

Sessions::Sessions(Limits limits, std::function<void(const Session&, double seconds)> on_end)
    : limits_(limits),
      on_end_(std::move(on_end)),
      watch_(g_timeout_add_seconds(
          1,
          [](gpointer self) -> gboolean {
            static_cast<Sessions*>(self)->look();
            return G_SOURCE_CONTINUE;
          },
          this)) {}

Sessions::~Sessions() { g_source_remove(watch_); }

void Sessions::keep(std::unique_ptr<Session> session, Admission::Place place) {
  session->call_at_end([this, ended = session.get()] { remove(ended); });
  held_.push_back({std::move(place), std::move(session), now(), now()});
}

Session* Sessions::find(const std::string& id) const {
  const auto held =
      std::find_if(held_.begin(), held_.end(), [&](const Held& entry) { return entry.session->id() == id; });
  return held != held_.end() ? held->session.get() : nullptr;
}

void Sessions::close_all(Ending ending) {
  for (const Held& held : held_) held.session->close(ending);
}

void Sessions::clear() {
  close_all(Ending::Stopping);
  for (const Held& held : held_) on_end_(*held.session, now() - held.begun);
  held_.clear();
}

/// Not at once: the session is still in its call.
void Sessions::remove(const Session* session) {
  struct Removal {
    Sessions* sessions;
    const Session* session;
  };
  g_idle_add_full(
      G_PRIORITY_DEFAULT,
      [](gpointer data) -> gboolean {
        const auto* removal = static_cast<Removal*>(data);
        auto& all = removal->sessions->held_;
        const auto held = std::find_if(all.begin(), all.end(), [&](const Held& entry) {
          return entry.session.get() == removal->session;
        });
        if (held == all.end()) return G_SOURCE_REMOVE;  // All have been ended meanwhile.
        const Held ended = std::move(*held);
        all.erase(held);
        removal->sessions->on_end_(*ended.session, now() - ended.begun);
        return G_SOURCE_REMOVE;
      },
      new Removal{this, session}, [](gpointer data) { delete static_cast<Removal*>(data); });
}

void Sessions::look() {
  for (Held& held : held_) {
    const uint64_t frames = held.session->counts().frames_in;
    if (std::exchange(held.frames_in, frames) != frames) held.heard = now();
    if (limits_.seconds > 0 && now() - held.begun > limits_.seconds) {
      held.session->close(Ending::TooLong);
    } else if (limits_.idle_seconds > 0 && now() - held.heard > limits_.idle_seconds) {
      held.session->close(Ending::Idle);
    }
  }
}

}  // namespace serve
