// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "phone/arrival_clock.h"

#include <gtest/gtest.h>

#include <random>

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kPacket = 20 * kMs;
constexpr int64_t kTolerance = 60 * kMs;

TEST(ArrivalClock, CountsWhateverTheJitter) {
  ArrivalClock clock(kTolerance);
  std::mt19937 random(3);
  for (int64_t i = 0; i < 10'000; ++i) {
    const int64_t late = i == 0 ? 0 : static_cast<int64_t>(random() % 60) * kMs;
    const auto place = clock.place(1'000 * kMs + i * kPacket + late, kPacket);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->start_ns, 1'000 * kMs + i * kPacket);
    EXPECT_EQ(place->jump, i == 0);
  }
}

TEST(ArrivalClock, BeginsAnewAfterAPause) {
  ArrivalClock clock(kTolerance);
  clock.place(0, kPacket);
  const auto place = clock.place(kPacket + kTolerance + 1, kPacket);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->start_ns, kPacket + kTolerance + 1);
  EXPECT_TRUE(place->jump);
}

TEST(ArrivalClock, WhatWasHeldUpDoesNotDelayTheRest) {
  ArrivalClock clock(kTolerance);
  clock.place(0, kPacket);
  // Five seconds at once: as much as jitter may be is kept.
  int kept = 0;
  for (int i = 0; i < 250; ++i) kept += clock.place(5'000 * kMs, kPacket) ? 1 : 0;
  EXPECT_EQ(kept, 4);
  int64_t now = 5'000 * kMs;
  for (int i = 0; i < 100; ++i) {
    now += kPacket;
    const auto place = clock.place(now, kPacket);
    ASSERT_TRUE(place);
    EXPECT_LE(place->start_ns - now, kTolerance);
  }
}

TEST(ArrivalClock, FollowsAnotherClock) {
  // 500 ppm fast or slow: a packet is left out, or a pause comes in, each two minutes.
  for (const int64_t step : {kPacket - 10'000, kPacket + 10'000}) {
    ArrivalClock clock(kTolerance);
    int odd = 0;
    int64_t now = 0;
    for (int i = 0; i < 90'000; ++i, now += step) {
      const auto place = clock.place(now, kPacket);
      if (!place || place->jump) ++odd;
      if (place) {
        EXPECT_LE(std::abs(place->start_ns - now), kTolerance);
      }
    }
    EXPECT_GE(odd, 10);
    EXPECT_LE(odd, 50);
  }
}

}  // namespace
