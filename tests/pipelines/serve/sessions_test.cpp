// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/sessions.h"

#include <gtest/gtest.h>

#include <set>

namespace serve {
namespace {

/// Ends as soon as it is told to.
class FakeSession : public Session {
 public:
  FakeSession() : Session("fake", {"127.0.0.1", ""}) {}
  void close(Ending ending) override {
    ends_because(ending);
    end();
  }
  [[nodiscard]] Counts counts() const override { return {.frames_in = frames}; }
  void fail() {
    ends_because(Ending::Failed);
    close(Ending::Client);
  }

  uint64_t frames = 0;
};

struct Ended {
  std::string id;
  Ending ending;
};

class SessionsTest : public testing::Test {
 protected:
  FakeSession* add(Sessions& sessions) {
    auto session = std::make_unique<FakeSession>();
    FakeSession* raw = session.get();
    sessions.keep(std::move(session), admission_.take());
    return raw;
  }
  std::function<void(const Session&, double)> note() {
    return [this](const Session& session, double) { ended_.push_back({session.id(), session.ending()}); };
  }

  Admission admission_{4};
  std::vector<Ended> ended_;
};

TEST_F(SessionsTest, GiveTheirPlacesBackAtTheirEnd) {
  Sessions sessions({}, note());
  FakeSession* first = add(sessions);
  FakeSession* second = add(sessions);
  EXPECT_EQ(admission_.used(), 2U);
  EXPECT_EQ(sessions.find(second->id()), second);
  EXPECT_EQ(sessions.find("other"), nullptr);
  const std::string id = first->id();
  first->fail();
  EXPECT_EQ(sessions.size(), 2U);  // It is still in its call.
  while (sessions.size() == 2) g_main_context_iteration(nullptr, TRUE);
  EXPECT_EQ(admission_.used(), 1U);
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].id, id);
  EXPECT_EQ(ended_[0].ending, Ending::Failed);  // The first reason stays.
}

TEST_F(SessionsTest, EndWhenTheirTimeIsOver) {
  Sessions sessions({.seconds = 1}, note());
  add(sessions);
  while (sessions.size() == 1) g_main_context_iteration(nullptr, TRUE);
  EXPECT_EQ(ended_[0].ending, Ending::TooLong);
}

TEST_F(SessionsTest, EndWhenNothingIsHeard) {
  Sessions sessions({.idle_seconds = 2}, note());
  const FakeSession* silent = add(sessions);
  const std::string id = silent->id();
  FakeSession* speaking = add(sessions);
  while (sessions.size() == 2) {
    ++speaking->frames;
    g_main_context_iteration(nullptr, TRUE);
  }
  EXPECT_EQ(ended_[0].id, id);
  EXPECT_EQ(ended_[0].ending, Ending::Idle);
}

TEST(Session, HasAnIdOfItsOwn) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.insert(FakeSession().id());
  EXPECT_EQ(ids.size(), 100U);
  for (const std::string& id : ids) EXPECT_EQ(id.size(), 32U);
}

}  // namespace
}  // namespace serve
