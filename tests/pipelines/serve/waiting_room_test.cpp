// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/waiting_room.h"

#include <gtest/gtest.h>

#include <string>

namespace serve {
namespace {

/// Runs what is due in the default main context.
void turn() {
  while (g_main_context_iteration(nullptr, FALSE) != FALSE) {
  }
}

TEST(WaitingRoom, LetsInWhoCameFirst) {
  Admission admission(1);
  WaitingRoom room(admission, 60);
  Admission::Place taken = admission.take();
  std::string order;
  Admission::Place given;
  EXPECT_TRUE(room.open());
  room.wait([&](Admission::Place place) {
    order += 'a';
    given = std::move(place);
  });
  EXPECT_FALSE(room.open());  // As many wait as there are places.
  room.wait([&](Admission::Place place) { order += place != nullptr ? 'b' : '-'; });
  turn();
  EXPECT_EQ(order, "");
  taken.reset();
  turn();
  EXPECT_EQ(order, "a");
  EXPECT_NE(given, nullptr);
  EXPECT_EQ(admission.used(), 1U);
  given.reset();
  turn();
  EXPECT_EQ(order, "ab");
  EXPECT_TRUE(room.empty());
  EXPECT_EQ(admission.used(), 0U);
}

TEST(WaitingRoom, SendsAwayWhoHasWaitedLongEnough) {
  Admission admission(1);
  WaitingRoom room(admission, 1);
  const Admission::Place taken = admission.take();
  bool sent_away = false;
  room.wait([&](Admission::Place place) { sent_away = place == nullptr; });
  while (!room.empty()) g_main_context_iteration(nullptr, TRUE);
  EXPECT_TRUE(sent_away);
}

TEST(WaitingRoom, SendsAllAwayAtTheEnd) {
  Admission admission(2);
  WaitingRoom room(admission, 60);
  int sent_away = 0;
  for (int i = 0; i < 2; ++i)
    room.wait([&](Admission::Place place) { sent_away += place == nullptr ? 1 : 0; });
  admission.drain();
  EXPECT_FALSE(room.open());
  room.clear();
  EXPECT_EQ(sent_away, 2);
}

TEST(WaitingRoom, IsClosedWhereNobodyIsToWait) {
  Admission admission(2);
  EXPECT_FALSE(WaitingRoom(admission, 0).open());
}

}  // namespace
}  // namespace serve
