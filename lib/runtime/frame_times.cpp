// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/frame_times.h"

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "runtime/counters.h"

namespace moshi::runtime {
namespace {

constexpr uint64_t kFewestFrames = 2;
constexpr uint64_t kManyFrames = 10;
constexpr double kUsualTime = 500;  // ms
constexpr double kLongestTime = 2000;

/// Milliseconds since its beginning.
class Stopwatch {
 public:
  [[nodiscard]] double elapsed() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Some callers' throw-away sessions. What is in their frames makes no difference to the time they take.
class Callers {
 public:
  Callers(ExecutionContext& context, int count, const Cancellation* cancel)
      : context_(context), cancel_(cancel) {
    const LmInfo& lm = context.lm();
    LmSessionOptions options;
    options.sampling = lm.sampling;
    options.live = true;
    for (int i = 0; i < count; ++i) {
      encoders_.push_back(context.open_encoder(lm.user_codebooks));
      models_.push_back(context.open_lm(options));
      if (lm.dep_q > 0) decoders_.push_back(context.open_decoder(lm.output_codebooks));
    }
    user_codes_.resize(static_cast<size_t>(lm.user_codebooks));
    own_codes_.resize(static_cast<size_t>(lm.output_codebooks));
    heard_.resize(static_cast<size_t>(context.codec().frame_size));
    spoken_.resize(heard_.size());
  }

  /// One frame each, all callers at a time.
  void frame(Counters& encode, Counters& step, Counters& decode, Counters& whole) {
    const Stopwatch watch;
    LmFrame said;
    run(encoders_, heard_, std::span(user_codes_), encode);
    run(models_, user_codes_, said, step);
    run(decoders_, own_codes_, std::span(spoken_), decode);
    whole.add(watch.elapsed(), models_.size());
  }

 private:
  template <typename Session, typename Input, typename Output>
  void run(const std::vector<std::unique_ptr<Session>>& sessions, const Input& input, Output&& output,
           Counters& counters) const {
    const Stopwatch watch;
    {
      const auto hold = context_.hold();
      for (const auto& session : sessions) session->submit(input);
    }
    for (const auto& session : sessions) session->await(output, cancel_);
    counters.add(watch.elapsed(), sessions.size());
  }

  ExecutionContext& context_;
  const Cancellation* cancel_;
  std::vector<std::unique_ptr<EncoderSession>> encoders_;
  std::vector<std::unique_ptr<LmSession>> models_;
  std::vector<std::unique_ptr<DecoderSession>> decoders_;
  std::vector<uint16_t> user_codes_;
  std::vector<uint16_t> own_codes_;
  std::vector<float> heard_;
  std::vector<float> spoken_;
};

FrameFigures time_callers(ExecutionContext& context, int count, double limit, const Cancellation* cancel) {
  Callers callers(context, count, cancel);
  Counters encode;
  Counters step;
  Counters decode;
  Counters whole;
  {
    Counters ignored;  // The first frame takes memory.
    callers.frame(ignored, ignored, ignored, ignored);
  }
  const Stopwatch watch;
  do {
    callers.frame(encode, step, decode, whole);
  } while (!timed_enough(whole.stats(), watch.elapsed(), limit));
  const SessionStats frame = whole.stats();
  return {frame.step_ms_p50,        frame.step_ms_p99,          encode.stats().step_ms_p99,
          step.stats().step_ms_p99, decode.stats().step_ms_p99, frame.step_ms_p99 <= limit ? count : 0};
}

/// Whether the frames of `count` callers fit in the time of one; false, too, where there is no room for them.
bool can_hold(ExecutionContext& context, int count, double limit, const Cancellation* cancel) {
  try {
    return time_callers(context, count, limit, cancel).callers == count;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::Busy || error.code() == ErrorCode::NoSpace) return false;
    throw;
  }
}

}  // namespace

FrameFigures time_frames(ExecutionContext& context, int most_callers, const Cancellation* cancel) {
  const double limit = static_cast<double>(context.codec().frame_ns) * 1e-6;
  const Stopwatch watch;
  FrameFigures one = time_callers(context, 1, limit, cancel);
  for (int count = 2; count <= most_callers && one.callers > 0 && watch.elapsed() < kUsualTime; count *= 2) {
    if (!can_hold(context, count, limit, cancel)) break;
    one.callers = count;
  }
  return one;
}

bool timed_enough(const SessionStats& so_far, double spent, double limit) {
  if (so_far.frames < kFewestFrames) return false;
  // A single long frame among short ones says little: it may be another program's doing.
  const bool unclear = so_far.step_ms_p50 <= limit && so_far.step_ms_p99 > limit;
  if (unclear) return spent >= kLongestTime;
  return so_far.frames >= kManyFrames || spent >= kUsualTime;
}

}  // namespace moshi::runtime
