// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "runtime/load_once.h"
#include "runtime/slots.h"

namespace moshi::runtime {
namespace {

using namespace std::chrono_literals;

/// A frame whose result is twice its input.
struct Doubled : Frame {
  explicit Doubled(Stage stage = Stage::Step, bool live = false) : Frame(stage, live) {}
  int in = 0;
  int out = 0;
};

struct Runner {
  std::vector<size_t> batches;
  std::vector<Stage> stages;
  bool fail = false;
  std::promise<void>* started = nullptr;
  std::shared_future<void> go_on;

  void operator()(Stage stage, std::span<Frame* const> batch) {
    batches.push_back(batch.size());
    stages.push_back(stage);
    if (started != nullptr) {
      std::exchange(started, nullptr)->set_value();
      go_on.wait();
    }
    if (fail) {
      throw Error(ErrorCode::Failed, "no luck");
    }
    for (Frame* frame : batch) {
      auto* doubled = static_cast<Doubled*>(frame);
      doubled->out = 2 * doubled->in;
    }
  }
};

struct EngineTest : testing::Test {
  Runner runner;
  Engine engine{[this](Stage stage, std::span<Frame* const> batch) { runner(stage, batch); }, 1, 160ms,
                200ms};

  std::shared_ptr<Doubled> open(Stage stage = Stage::Step, bool live = false) {
    auto frame = std::make_shared<Doubled>(stage, live);
    engine.add(frame);
    return frame;
  }
  void submit(Doubled& frame, int value) {
    engine.prepare(frame);
    frame.in = value;
    engine.submit(frame);
  }
  int run(Doubled& frame, int value) {
    submit(frame, value);
    engine.await(frame, nullptr);
    return frame.out;
  }
};

TEST_F(EngineTest, HandsEachSessionItsOwnResult) {
  const auto a = open();
  const auto b = open();
  EXPECT_EQ(run(*a, 3), 6);
  EXPECT_EQ(run(*b, 4), 8);
  EXPECT_EQ(run(*a, 5), 10);
  EXPECT_EQ(engine.stats(*a).frames, 2U);
  EXPECT_EQ(engine.stats(*b).batch_mean, 1);
}

TEST_F(EngineTest, FramesHeldTogetherShareABatch) {
  const auto a = open();
  const auto b = open();
  const auto other = open(Stage::Encode);
  {
    const auto hold = engine.hold();
    submit(*a, 1);
    submit(*b, 2);
    submit(*other, 3);
  }
  engine.await(*a, nullptr);
  engine.await(*b, nullptr);
  engine.await(*other, nullptr);
  EXPECT_EQ(runner.batches, (std::vector<size_t>{2, 1}));
  EXPECT_EQ(runner.stages, (std::vector<Stage>{Stage::Step, Stage::Encode}));
  EXPECT_EQ(engine.stats(*a).batch_mean, 2);
}

TEST_F(EngineTest, LiveFramesWaitForActiveOnesOfTheirKind) {
  const auto a = open(Stage::Step, true);
  const auto b = open(Stage::Step, true);
  run(*a, 1);
  submit(*b, 1);
  submit(*a, 1);
  engine.await(*a, nullptr);
  engine.await(*b, nullptr);
  EXPECT_EQ(runner.batches, (std::vector<size_t>{1, 2}));
}

TEST_F(EngineTest, APausedSessionHoldsNobodyUpForLong) {
  const auto a = open(Stage::Step, true);
  const auto b = open(Stage::Step, true);
  run(*b, 1);
  EXPECT_EQ(run(*a, 2), 4);  // waits the batch window at most
  EXPECT_EQ(runner.batches.back(), 1U);
}

TEST_F(EngineTest, OfflineFramesYieldToLiveOnes) {
  const auto offline = open(Stage::Step, false);
  const auto live = open(Stage::Step, true);
  const auto encoder = open(Stage::Encode, false);
  {
    const auto hold = engine.hold();
    submit(*encoder, 1);
    submit(*offline, 2);
    submit(*live, 3);
  }
  engine.await(*encoder, nullptr);
  engine.await(*offline, nullptr);
  engine.await(*live, nullptr);
  EXPECT_EQ(runner.batches, (std::vector<size_t>{1, 1, 1}));
  EXPECT_EQ(runner.stages, (std::vector<Stage>{Stage::Step, Stage::Encode, Stage::Step}));
}

TEST_F(EngineTest, AnErrorReachesEverySessionOfTheBatchAndNoOther) {
  const auto a = open();
  runner.fail = true;
  submit(*a, 1);
  EXPECT_THROW(engine.await(*a, nullptr), Error);
  runner.fail = false;
  EXPECT_EQ(run(*a, 2), 4);
}

TEST_F(EngineTest, AWaitIsCancelledAtOnceAndTheSessionGoesOn) {
  const auto a = open();
  Cancellation cancel;
  auto hold = engine.hold();
  submit(*a, 1);
  auto waiting = std::async(std::launch::async, [&] {
    try {
      engine.await(*a, &cancel);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::Failed;
  });
  EXPECT_EQ(waiting.wait_for(20ms), std::future_status::timeout);
  cancel.cancel();
  EXPECT_EQ(waiting.get(), ErrorCode::Cancelled);
  hold.reset();
  cancel.reset();
  EXPECT_EQ(run(*a, 4), 8);
}

TEST_F(EngineTest, ASessionMayCloseWhileItsFrameRuns) {
  std::promise<void> started;
  std::promise<void> release;
  runner.started = &started;
  runner.go_on = release.get_future().share();
  auto a = open();
  submit(*a, 1);
  started.get_future().wait();
  engine.remove(a);
  a.reset();
  release.set_value();
  const auto b = open();
  EXPECT_EQ(run(*b, 2), 4);
}

TEST_F(EngineTest, JobsRunOnTheEnginesThreadAndPassErrorsOn) {
  std::thread::id thread;
  engine.call([&] { thread = std::this_thread::get_id(); });
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_THROW(engine.call([] { throw Error(ErrorCode::Busy, "full"); }), Error);
}

TEST_F(EngineTest, AwaitWithoutSubmitSaysSo) {
  const auto a = open();
  try {
    engine.await(*a, nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "expected a submitted frame, found none: call submit before await");
  }
}

TEST_F(EngineTest, ManySessionsOnManyThreads) {
  std::vector<std::future<int>> sums;
  for (int session = 0; session < 8; ++session) {
    sums.push_back(std::async(std::launch::async, [&, session] {
      int sum = 0;
      for (int round = 0; round < 3; ++round) {
        const auto frame = open(session % 2 == 0 ? Stage::Step : Stage::Decode, false);
        for (int i = 0; i < 200; ++i) {
          sum += run(*frame, i) - 2 * i;
        }
        engine.remove(frame);
      }
      return sum;
    }));
  }
  for (auto& sum : sums) {
    EXPECT_EQ(sum.get(), 0);
  }
}

TEST(LoadOnce, OneLoadsAndTheOthersWait) {
  LoadOnce once;
  std::atomic<int> loads = 0;
  std::vector<std::future<void>> users;
  for (int i = 0; i < 8; ++i) {
    users.push_back(std::async(std::launch::async, [&] {
      once.run(
          [&] {
            std::this_thread::sleep_for(20ms);
            ++loads;
          },
          nullptr);
      EXPECT_TRUE(once.done());
    }));
  }
  for (auto& user : users) {
    user.get();
  }
  EXPECT_EQ(loads, 1);
}

TEST(LoadOnce, AFailedLoadIsTakenOver) {
  LoadOnce once;
  EXPECT_THROW(once.run([] { throw Error(ErrorCode::NotFound, "no file"); }, nullptr), Error);
  EXPECT_FALSE(once.done());
  once.run([] {}, nullptr);
  EXPECT_TRUE(once.done());
}

TEST(LoadOnce, WaitingForAnotherCanBeCancelled) {
  LoadOnce once;
  std::promise<void> release;
  std::promise<void> started;
  auto first = std::async(std::launch::async, [&] {
    once.run(
        [&] {
          started.set_value();
          release.get_future().wait();
        },
        nullptr);
  });
  started.get_future().wait();
  Cancellation cancel;
  auto second = std::async(std::launch::async, [&] { once.run([] {}, &cancel); });
  cancel.cancel();
  EXPECT_THROW(second.get(), Error);
  release.set_value();
  first.get();
}

TEST(SlotPool, HandsOutTheLowestFree) {
  SlotPool pool;
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), 1);
  EXPECT_EQ(pool.take(), 2);
  pool.give_back(1);
  EXPECT_EQ(pool.count(), 2);
  EXPECT_EQ(pool.take(), 1);
  EXPECT_EQ(pool.take(), 3);
}

TEST(Counters, PercentilesAndMeans) {
  Counters counters;
  EXPECT_EQ(counters.stats().frames, 0U);
  for (int i = 1; i <= 100; ++i) {
    counters.add(i, i % 2 == 0 ? 4 : 2);
  }
  const SessionStats stats = counters.stats();
  EXPECT_EQ(stats.frames, 100U);
  EXPECT_NEAR(stats.step_ms_p50, 50, 1);
  EXPECT_NEAR(stats.step_ms_p99, 99, 1);
  EXPECT_EQ(stats.step_ms_max, 100);
  EXPECT_EQ(stats.batch_mean, 3);
}

}  // namespace
}  // namespace moshi::runtime
