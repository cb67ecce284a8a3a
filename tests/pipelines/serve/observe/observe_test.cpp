// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>

#include <regex>

#include "serve/observe/agent.h"
#include "serve/observe/log.h"
#include "serve/observe/metrics.h"

namespace serve {
namespace {

class FakeSession : public Session {
 public:
  FakeSession() : Session("websocket", {"127.0.0.1", "4bf92f3577b34da6a3ce929d0e0e4736"}) {}
  void close(Ending ending) override { ends_because(ending); }
  [[nodiscard]] Counts counts() const override { return {10, 8, 2}; }
};

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Agent, TellsHowMuchIsFree) {
  Admission admission(3);
  EXPECT_EQ(agent_line(admission), "up ready 100%\n");
  Admission::Place first = admission.take();
  EXPECT_EQ(agent_line(admission), "up ready 66%\n");
  const Admission::Place second = admission.take();
  const Admission::Place third = admission.take();
  EXPECT_EQ(agent_line(admission), "up ready 1%\n");
  first.reset();
  EXPECT_EQ(agent_line(admission), "up ready 33%\n");
  admission.drain();
  EXPECT_EQ(agent_line(admission), "drain\n");
}

TEST(Log, IsALineWhateverComes) {
  const std::string line = line_of("refused", {{"remote", "a\nb\"\xff"}, {"status", 503}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto fields = nlohmann::json::parse(line);
  EXPECT_EQ(fields["event"], "refused");
  EXPECT_EQ(fields["remote"], "a\nb\"\xef\xbf\xbd");
  EXPECT_TRUE(std::regex_match(fields["time"].get<std::string>(),
                               std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)")));
}

TEST(Log, OfAConversation) {
  FakeSession session;
  session.close(Ending::Idle);
  testing::internal::CaptureStderr();
  const Log log(/*json=*/true);
  log.ended(session, 1.5);
  const auto fields = nlohmann::json::parse(testing::internal::GetCapturedStderr());
  EXPECT_EQ(fields["event"], "session_end");
  EXPECT_EQ(fields["session"], session.id());
  EXPECT_EQ(fields["transport"], "websocket");
  EXPECT_EQ(fields["remote"], "127.0.0.1");
  EXPECT_EQ(fields["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(fields["reason"], "idle");
  EXPECT_EQ(fields["seconds"], 1.5);
  EXPECT_EQ(fields["frames_in"], 10);
  EXPECT_EQ(fields["frames_out"], 8);
  EXPECT_EQ(fields["frames_dropped"], 2);
}

TEST(Metrics, CountConversations) {
  Metrics metrics("1.2", "/a \"model\"", 0.08);
  FakeSession session;
  metrics.ended(session, 20);
  session.close(Ending::Failed);
  metrics.ended(session, 2);
  metrics.ended(session, 2);
  metrics.refused(Reason::Full);
  metrics.step(0.03);
  metrics.step(0.09);
  metrics.first_audio(0.2);
  metrics.queued(3);
  const std::string text = metrics.text(4, 1);
  for (const char* line :
       {"moshi_slots 4", "moshi_slots_used 1",
        R"(moshi_sessions_total{result="client",transport="websocket"} 1)",
        R"(moshi_sessions_total{result="failed",transport="websocket"} 2)",
        R"(moshi_sessions_rejected_total{reason="full"} 1)", "moshi_session_seconds_count 3",
        "moshi_session_seconds_sum 24", R"(moshi_step_seconds_bucket{le="0.03"} 1)",
        "moshi_step_seconds_count 2", "moshi_step_deadline_missed_total 1",
        "moshi_input_dropped_frames_total 6", "moshi_first_audio_seconds_count 1",
        "moshi_queue_seconds_sum 3", R"(moshi_build_info{model="/a \"model\"",version="1.2"} 1)"})
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
}

}  // namespace
}  // namespace serve
