// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "fake_engine.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <new>

namespace moshi {

struct Cancellation::Impl {
  bool cancelled = false;
};

}  // namespace moshi

namespace fake {
namespace {

struct Failure {
  std::function<void()> raise;
  int frame = 0;
};

struct State {
  std::mutex mutex;
  std::condition_variable changed;
  Settings settings;
  Log log;
  std::map<Call, Failure> failures;
  bool blocking = false;
  bool blocking_lm = false;
  int blocked = 0;
  std::map<std::string, std::weak_ptr<moshi::ExecutionContext>> contexts;
};

State& state() {
  static auto* instance = new State;
  return *instance;
}

Settings default_settings() {
  Settings settings;
  settings.codec = {24000, 1920, 80'000'000, 8, 32, 2048, "mimi-0000fa4e"};
  settings.lm.model_type = "moshi";
  settings.lm.n_q = 16;
  settings.lm.dep_q = 8;
  settings.lm.user_codebooks = 8;
  settings.lm.output_codebooks = 8;
  settings.lm.card = 2048;
  settings.lm.text_card = 32000;
  settings.lm.text_card_out = 32000;
  settings.lm.max_delay = 1;
  settings.lm.context = 3000;
  settings.context.device = "cpu";
  settings.context.device_name = "a fake";
  settings.context.precision = "f32";
  settings.steps = {0, 1.5, 2.5, 3.5, 1.0};
  return settings;
}

void check_failure(Call call, int frame = 0) {
  std::optional<Failure> failure;
  {
    const std::lock_guard lock(state().mutex);
    const auto found = state().failures.find(call);
    if (found == state().failures.end() || found->second.frame != frame) return;
    failure = found->second;
  }
  failure->raise();
}

void set_failure(Call call, std::function<void()> raise, int frame = 0) {
  const std::lock_guard lock(state().mutex);
  state().failures.insert_or_assign(call, Failure{std::move(raise), frame});
}

void wait_while_blocked(const moshi::Cancellation* cancel, bool lm = false) {
  std::unique_lock lock(state().mutex);
  const auto cancelled = [cancel] { return cancel != nullptr && cancel->impl().cancelled; };
  const auto blocking = [lm] { return state().blocking || (lm && state().blocking_lm); };
  if (blocking()) {
    ++state().blocked;
    state().changed.notify_all();
    state().changed.wait(lock, [&] { return !blocking() || cancelled(); });
    --state().blocked;
  }
  if (cancelled()) throw moshi::Error(moshi::ErrorCode::Cancelled, "cancelled");
}

// What all sessions share: a slot, and one frame under way.
class Slot {
 public:
  explicit Slot(bool lm = false) : lm_(lm) {
    const std::lock_guard lock(state().mutex);
    ++state().log.sessions;
  }
  ~Slot() {
    const std::lock_guard lock(state().mutex);
    --state().log.sessions;
  }
  void step(const moshi::Cancellation* cancel) {
    wait_while_blocked(cancel, lm_);
    check_failure(Call::Step, static_cast<int>(steps_++));
  }
  void reset() {
    since_reset_ = 0;
    const std::lock_guard lock(state().mutex);
    ++state().log.resets;
  }
  [[nodiscard]] moshi::SessionStats stats() const {
    moshi::SessionStats stats = state().settings.steps;
    stats.frames = steps_;
    return stats;
  }
  [[nodiscard]] int next() { return since_reset_++; }

 private:
  bool lm_;
  uint64_t steps_ = 0;
  int since_reset_ = 0;
};

class Encoder : public moshi::EncoderSession {
 public:
  void submit(std::span<const float> pcm) override { first_ = pcm[0]; }
  void await(std::span<uint16_t> codes, const moshi::Cancellation* cancel) override {
    slot_.step(cancel);
    for (size_t k = 0; k < codes.size(); ++k) codes[k] = static_cast<uint16_t>(k);
    codes[0] = static_cast<uint16_t>(std::lround((first_ + 1.0F) * 1000.0F));
    const int frame = slot_.next();
    if (codes.size() > 1) codes[1] = static_cast<uint16_t>(std::min(frame, 3));
  }
  void reset() override { slot_.reset(); }
  [[nodiscard]] moshi::SessionStats stats() const override { return slot_.stats(); }

 private:
  Slot slot_;
  float first_ = 0;
};

class Decoder : public moshi::DecoderSession {
 public:
  void submit(std::span<const uint16_t> codes) override {
    first_ = codes[0];
    const std::lock_guard lock(state().mutex);
    if (state().settings.keep_codes) state().log.decoder_codes.emplace_back(codes.begin(), codes.end());
  }
  void await(std::span<float> pcm, const moshi::Cancellation* cancel) override {
    slot_.step(cancel);
    std::fill(pcm.begin(), pcm.end(), static_cast<float>(first_) / 1000.0F - 1.0F);
  }
  void reset() override { slot_.reset(); }
  [[nodiscard]] moshi::SessionStats stats() const override { return slot_.stats(); }

 private:
  Slot slot_;
  uint16_t first_ = 0;
};

class Lm : public moshi::LmSession {
 public:
  void submit(std::span<const uint16_t> codes) override {
    codes_.assign(codes.begin(), codes.end());
    const std::lock_guard lock(state().mutex);
    if (state().settings.keep_codes) state().log.lm_codes.push_back(codes_);
  }
  void await(moshi::LmFrame& frame, const moshi::Cancellation* cancel) override {
    slot_.step(cancel);
    const Settings& settings = state().settings;
    const int output = slot_.next() - settings.lm.max_delay;
    frame.ready = output >= 0;
    if (!frame.ready) return;
    const auto column = static_cast<size_t>(output);
    frame.text = column < settings.text.size() ? settings.text[column] : settings.lm.text_padding_id;
    frame.audio.assign(static_cast<size_t>(settings.lm.dep_q), 0);
    for (size_t k = 0; k < frame.audio.size() && k < codes_.size(); ++k) {
      frame.audio[k] = (codes_[k] + 1) % settings.lm.card;
    }
  }
  void reset() override { slot_.reset(); }
  [[nodiscard]] uint64_t seed() const override { return 1; }
  [[nodiscard]] moshi::SessionStats stats() const override { return slot_.stats(); }

 private:
  Slot slot_{true};
  std::vector<uint16_t> codes_;
};

class Context : public moshi::ExecutionContext {
 public:
  explicit Context(const moshi::ContextOptions& options) : name_("/models/" + options.model) {}

  void load_codec(const moshi::ProgressHandler& progress, const moshi::Cancellation* cancel) override {
    load(Call::LoadCodec, progress, cancel);
    const std::lock_guard lock(state().mutex);
    ++state().log.codec_loads;
  }
  void load_lm(const moshi::LmOptions& options, const moshi::ProgressHandler& progress,
               const moshi::Cancellation* cancel) override {
    load(Call::LoadLm, progress, cancel);
    const std::lock_guard lock(state().mutex);
    ++state().log.lm_loads;
    state().log.lm_options = options;
  }
  [[nodiscard]] const moshi::CodecInfo& codec() const override { return state().settings.codec; }
  [[nodiscard]] const moshi::LmInfo& lm() const override { return state().settings.lm; }
  [[nodiscard]] const std::string& model() const override { return name_; }
  std::unique_ptr<moshi::EncoderSession> open_encoder(int /*codebooks*/) override {
    open(Call::OpenEncoder);
    return std::make_unique<Encoder>();
  }
  std::unique_ptr<moshi::DecoderSession> open_decoder(int /*codebooks*/) override {
    open(Call::OpenDecoder);
    return std::make_unique<Decoder>();
  }
  std::unique_ptr<moshi::LmSession> open_lm(const moshi::LmSessionOptions& options) override {
    open(Call::OpenLm);
    {
      const std::lock_guard lock(state().mutex);
      state().log.session_options = options;
    }
    return std::make_unique<Lm>();
  }
  moshi::FrameFigures measure_frame(const moshi::Cancellation* /*cancel*/) override {
    if (!measured_.exchange(true)) {
      const std::lock_guard lock(state().mutex);
      ++state().log.measures;
    }
    return frame_figures();
  }
  [[nodiscard]] moshi::FrameFigures frame_figures() const override {
    return measured_ ? state().settings.context : moshi::FrameFigures{};
  }
  [[nodiscard]] std::shared_ptr<void> hold() override { return nullptr; }
  moshi::ForwardResult forward(std::span<const int64_t> /*codes*/, int /*batch*/, int /*steps*/,
                               bool /*streaming*/) override {
    return {};
  }
  [[nodiscard]] std::string token_text(int32_t token) const override {
    if (token == 0 || token == state().settings.lm.text_padding_id) return "";
    return " w" + std::to_string(token);
  }
  [[nodiscard]] moshi::ContextStats stats() const override {
    moshi::ContextStats stats = state().settings.context;
    static_cast<moshi::FrameFigures&>(stats) = frame_figures();
    return stats;
  }
  [[nodiscard]] double measure_bandwidth() override { return 1e10; }
  void trace(const std::string& /*path*/, const std::function<void()>& action) override { action(); }

 private:
  static void load(Call call, const moshi::ProgressHandler& progress, const moshi::Cancellation* cancel) {
    if (progress) progress(0.5);
    wait_while_blocked(cancel);
    check_failure(call);
  }
  static void open(Call call) {
    check_failure(call);
    const std::lock_guard lock(state().mutex);
    if (state().log.sessions < state().settings.slots) return;
    throw moshi::Error(moshi::ErrorCode::Busy, "no free slot: expected fewer than " +
                                                   std::to_string(state().settings.slots) + " sessions");
  }

  std::string name_;
  std::atomic<bool> measured_ = false;
};

}  // namespace

Settings& settings() { return state().settings; }

Log log() {
  const std::lock_guard lock(state().mutex);
  return state().log;
}

void reset() {
  block(false);
  block_lm(false);
  const std::lock_guard lock(state().mutex);
  state().settings = default_settings();
  state().log = {};
  state().failures.clear();
}

void fail(Call call, moshi::ErrorCode code, const std::string& message, int frame) {
  set_failure(
      call, [=] { throw moshi::Error(code, message); }, frame);
}

void fail_badly(Call call) {
  set_failure(call, [] { throw std::runtime_error("raw internal text"); });
}

void fail_without_memory(Call call) {
  set_failure(call, [] { throw std::bad_alloc(); });
}

void block(bool on) {
  const std::lock_guard lock(state().mutex);
  state().blocking = on;
  state().changed.notify_all();
}

void block_lm(bool on) {
  const std::lock_guard lock(state().mutex);
  state().blocking_lm = on;
  state().changed.notify_all();
}

bool is_blocked() {
  const std::lock_guard lock(state().mutex);
  return state().blocked > 0;
}

void wait_until_blocked() {
  std::unique_lock lock(state().mutex);
  state().changed.wait(lock, [] { return state().blocked > 0; });
}

}  // namespace fake

namespace moshi {

Cancellation::Cancellation() : impl_(std::make_unique<Impl>()) {}
Cancellation::~Cancellation() = default;

void Cancellation::cancel() noexcept {
  const std::lock_guard lock(fake::state().mutex);
  impl_->cancelled = true;
  fake::state().changed.notify_all();
}

void Cancellation::reset() noexcept {
  const std::lock_guard lock(fake::state().mutex);
  impl_->cancelled = false;
}

bool Cancellation::cancelled() const noexcept {
  const std::lock_guard lock(fake::state().mutex);
  return impl_->cancelled;
}

std::shared_ptr<ExecutionContext> ExecutionContext::acquire(const ContextOptions& options) {
  fake::check_failure(fake::Call::Acquire);
  const std::string key = options.model + "|" + options.device + "|" + options.context_id;
  const std::lock_guard lock(fake::state().mutex);
  fake::state().log.options = options;
  auto& known = fake::state().contexts[key];
  auto context = known.lock();
  if (!context) {
    context = std::make_shared<fake::Context>(options);
    known = context;
    ++fake::state().log.contexts;
  }
  return context;
}

}  // namespace moshi
