// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Two calls at once, over WebRTC, with one copy of the model that the application has made and holds.
//
//   webrtc-agent QUESTION.wav      both callers ask it; they hear call-1.wav and call-2.wav
//
// Here both ends of a call are in one program. An application gets the offer from elsewhere, by HTTP for
// instance, and sends the answer back: Agent::answer() is all there is between them.
#include <moshi/gst_context.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "agent.h"
#include "caller.h"

namespace {

constexpr int kCalls = 2;

/// The model, loaded and timed before the first call.
std::shared_ptr<moshi::ExecutionContext> make_model(const moshi::ContextOptions& options) {
  auto model = moshi::ExecutionContext::acquire(options);
  model->load_codec();
  moshi::LmOptions lm;
  lm.max_sessions = kCalls;
  model->load_lm(lm);
  const moshi::FrameFigures figures = model->measure_frame();
  std::printf("a frame takes %.1f ms of %.0f\n", figures.frame_ms_p99,
              static_cast<double>(model->codec().frame_ns) * 1e-6);
  return model;
}

/// An agent and its caller.
class Call {
 public:
  /// `on_end` is called once: the question is over, or something went wrong.
  Call(int number, GstContext* model, const std::string& question, std::function<void()> on_end)
      : on_end_(std::move(on_end)),
        agent_(
            model, [this](const std::string& piece) { said_ += piece; },
            [this](const std::string& problem) { fail(problem); }),
        caller_(
            question, "call-" + std::to_string(number) + ".wav", [this] { end(); },
            [this](const std::string& problem) { fail(problem); }) {
    caller_.accept(agent_.answer(caller_.offer()));
  }

  /// What the agent has said; throws what went wrong instead.
  std::string hang_up() {
    caller_.hang_up();
    agent_.hang_up();
    if (!problem_.empty()) throw std::runtime_error(problem_);
    return said_;
  }

 private:
  void fail(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;  // What follows comes of it.
    end();
  }
  void end() {
    if (!over_.exchange(true)) on_end_();
  }

  std::function<void()> on_end_;
  std::string said_;
  std::string problem_;
  std::atomic<bool> over_ = false;
  Agent agent_;
  Caller caller_;
};

/// After what has been reported, and when the loop has begun.
gboolean quit(gpointer loop) {
  g_main_loop_quit(static_cast<GMainLoop*>(loop));
  return G_SOURCE_REMOVE;
}

void run(const std::string& question) {
  if (!std::filesystem::exists(question))
    throw std::runtime_error(question + ": expected a WAV file, found nothing of this name");
  moshi::ContextOptions options;
  options.context_id = "agents";  // The embedded model, apart from what else the process may do with it.
  const auto model = make_model(options);
  GstContext* name = moshi::new_gst_context(options);
  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
  std::atomic<int> talking = kCalls;
  std::vector<std::unique_ptr<Call>> calls;
  for (int number = 1; number <= kCalls; ++number) {
    calls.push_back(std::make_unique<Call>(number, name, question, [&talking, loop] {
      if (--talking == 0) g_idle_add(quit, loop);
    }));
  }
  g_main_loop_run(loop);

  std::printf("one model, held %ld times: by the application, and for the elements of both calls\n",
              model.use_count());
  for (int number = 1; number <= kCalls; ++number)
    std::printf("call %d:%s\n", number, calls.at(static_cast<size_t>(number - 1))->hang_up().c_str());
  gst_context_unref(name);
  g_main_loop_unref(loop);
}

}  // namespace

int main(int argc, char** argv) try {
  gst_init(&argc, &argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: webrtc-agent QUESTION.wav\n");
    return 2;
  }
  run(argv[1]);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
