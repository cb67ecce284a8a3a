// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Callers that come and go, stall, flush and hang up in mid-frame: each must hear what it would hear alone,
// in time, and no memory may stay behind. A few seconds in the suite; for more, settings in the environment:
//   MOSHI_SOAK_SECONDS=480 MOSHI_SOAK_SESSIONS=32 MOSHI_SOAK_DEVICE=cuda MOSHI_SOAK_PRECISION=int8
//   MOSHI_SOAK_MODEL=7b (or a checkpoint) MOSHI_SOAK_COMPARE_SECONDS=60 (else as long again)
#include <gtest/gtest.h>
#include <moshi/moshi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "small_codec.h"

namespace moshi {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kConfig = R"({
  "dim": 64, "num_heads": 2, "num_layers": 2, "hidden_scale": 6, "context": 100,
  "norm": "rms_norm_f32", "positional_embedding": "rope", "gating": "silu", "causal": true,
  "n_q": 6, "dep_q": 3, "card": 96, "text_card": 90, "delays": [0, 0, 1, 1, 0, 1, 1],
  "depformer_dim": 64, "depformer_num_heads": 2, "depformer_num_layers": 1, "depformer_dim_feedforward": 192,
  "depformer_gating": "silu", "depformer_pos_emb": "none", "depformer_multi_linear": true,
  "depformer_weights_per_step": true, "mimi_config_name": "mimi.json"})";
constexpr int kLongestCall = 160;  // frames

std::string setting(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

/// What one call of a caller is to be: everything follows from the seed.
struct Script {
  explicit Script(uint64_t seed) : random(seed) {
    frames = std::uniform_int_distribution(1, kLongestCall)(random);
    flush_at = random() % 3 == 0 ? std::uniform_int_distribution(0, frames)(random) : -1;
  }
  std::vector<uint16_t> codes(int count, int card) {
    std::vector<uint16_t> made(static_cast<size_t>(count));
    for (uint16_t& code : made) code = static_cast<uint16_t>(random() % static_cast<uint64_t>(card));
    return made;
  }
  std::vector<float> sound(int samples) {
    std::vector<float> made(static_cast<size_t>(samples));
    for (float& sample : made) sample = std::uniform_real_distribution(-0.3F, 0.3F)(random);
    return made;
  }
  std::mt19937_64 random;
  int frames = 0;
  int flush_at = -1;
};

/// All bytes so far in one number (FNV-1a).
struct Digest {
  uint64_t value = 14695981039346656037U;
  template <typename T>
  void add(const std::vector<T>& items) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(items.data());
    for (size_t i = 0; i < items.size() * sizeof(T); ++i) value = (value ^ bytes[i]) * 1099511628211U;
  }
};

struct Heard {
  uint64_t seed = 0;
  Digest tokens;
  Digest codec;  ///< Codes of its own sound, and the sound it got.
};

/// A caller's three sessions.
struct Caller {
  Caller(ExecutionContext& context, uint64_t seed, bool live)
      : info(context.lm()),
        encoder(context.open_encoder(info.user_codebooks)),
        lm(context.open_lm(options(info, seed, live))),
        decoder(context.open_decoder(info.output_codebooks)),
        codes(static_cast<size_t>(info.user_codebooks)),
        sound(static_cast<size_t>(context.codec().frame_size)) {}

  static LmSessionOptions options(const LmInfo& info, uint64_t seed, bool live) {
    LmSessionOptions options;
    options.live = live;
    options.sampling = info.sampling;
    options.sampling.seed = seed + 1;
    options.sampling.greedy = seed % 4 == 0;
    return options;
  }
  void flush() const {
    encoder->reset();
    lm->reset();
    decoder->reset();
  }
  /// One frame through all stages; the model hears codes of the script, which are the same on any device.
  void frame(Script& script, int cardinality, Heard& heard) {
    encoder->submit(script.sound(static_cast<int>(sound.size())));
    encoder->await(codes);
    lm->submit(script.codes(info.user_codebooks, info.card));
    lm->await(said);
    decoder->submit(script.codes(info.output_codebooks, cardinality));
    decoder->await(sound);
    heard.tokens.add(said.audio);
    heard.tokens.add(std::vector{said.text});
    heard.codec.add(codes);
    heard.codec.add(sound);
  }

  const LmInfo& info;
  std::unique_ptr<EncoderSession> encoder;
  std::unique_ptr<LmSession> lm;
  std::unique_ptr<DecoderSession> decoder;
  std::vector<uint16_t> codes;
  std::vector<float> sound;
  LmFrame said;
};

/// Milliseconds of frames, thread-safe.
class Latencies {
 public:
  void add(Clock::time_point start, Clock::time_point end) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::chrono::duration<float, std::milli>(end - start).count());
    if (end - start > longest_) {
      longest_ = end - start;
      end_of_longest_ = end;
    }
  }
  /// When the longest ended.
  [[nodiscard]] Clock::time_point end_of_longest() const { return end_of_longest_; }
  [[nodiscard]] float quantile(double fraction) {
    std::sort(all_.begin(), all_.end());
    return all_.empty() ? 0 : all_[static_cast<size_t>(fraction * static_cast<double>(all_.size() - 1))];
  }
  void reserve(size_t count) { all_.reserve(count); }

 private:
  std::mutex mutex_;
  std::vector<float> all_;
  Clock::duration longest_{};
  Clock::time_point end_of_longest_;
};

/// Resident memory of this process in bytes.
int64_t resident() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0;
  int64_t pages = 0;
  file >> all >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

class Soak : public testing::Test {
 protected:
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("moshi-soak-test-" + std::to_string(getpid()));
  std::string device = setting("MOSHI_SOAK_DEVICE", "cpu");
  std::shared_ptr<ExecutionContext> context;
  std::mutex mutex;
  std::vector<Heard> heard;
  Latencies live;
  Latencies offline;
  int hung_up = 0;

  Soak() {
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "config.json") << kConfig;
    std::ofstream(directory / "mimi.json") << small_codec(96);
    const std::string model = setting("MOSHI_SOAK_MODEL", (directory / "config.json").c_str());
    ContextOptions options;
    (std::filesystem::is_directory(model) ? options.model : options.random_weights) = model;
    options.device = device;
    context = ExecutionContext::acquire(options);
    context->load_codec();
    context->load_lm({parse_precision(setting("MOSHI_SOAK_PRECISION", "auto")), 0, false});
    constexpr size_t kMany = 1 << 22;  // Their own growth is no leak.
    live.reserve(kMany);
    offline.reserve(kMany);
    heard.reserve(kMany / 8);
  }
  ~Soak() override { std::filesystem::remove_all(directory); }

  /// All memory that `sessions` callers can come to need.
  void take_memory(int sessions) const {
    std::vector<std::unique_ptr<LmSession>> longest;
    std::vector<std::unique_ptr<Caller>> callers;
    LmSessionOptions options;
    options.history = std::min(kLongestCall, context->lm().context) - 1;
    for (int i = 0; i < sessions; ++i) {
      callers.push_back(std::make_unique<Caller>(*context, 1, false));
      longest.push_back(context->open_lm(options));
    }
    LmFrame frame;
    const std::vector<uint16_t> codes(static_cast<size_t>(context->lm().user_codebooks), 0);
    for (const auto& session : longest) session->submit(codes);
    for (const auto& session : longest) session->await(frame);
  }

  /// The script's call, with `pause` before each frame and its latency in `latencies`.
  template <typename Pause>
  Heard converse(uint64_t seed, bool is_live, Latencies& latencies, const Pause& pause) const {
    Script script(seed);
    Caller caller(*context, seed, is_live);
    Heard result{seed, {}, {}};
    for (int i = 0; i < script.frames; ++i) {
      if (i == script.flush_at) caller.flush();
      pause();
      const auto start = Clock::now();
      caller.frame(script, context->codec().cardinality, result);
      latencies.add(start, Clock::now());
    }
    return result;
  }

  /// Hangs up while a frame is under way.
  void hang_up(uint64_t seed) const {
    Script script(seed);
    const Caller caller(*context, seed, true);
    Cancellation cancel;
    caller.lm->submit(script.codes(caller.info.user_codebooks, caller.info.card));
    cancel.cancel();
    LmFrame frame;
    try {
      caller.lm->await(frame, &cancel);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Cancelled);
    }
  }

  /// Calls one after the other until the end.
  void call_until(Clock::time_point end, uint64_t first_seed) {
    std::mt19937_64 random(first_seed);
    const auto stall = [&] {
      const uint64_t draw = random() % 512;
      if (draw == 0) std::this_thread::sleep_for(std::chrono::milliseconds(random() % 1000));
      if (draw < 32) std::this_thread::sleep_for(std::chrono::milliseconds(random() % 30));
    };
    for (uint64_t seed = first_seed; Clock::now() < end; ++seed) {
      if (random() % 8 == 0) {
        hang_up(seed);
        const std::lock_guard lock(mutex);
        ++hung_up;
        continue;
      }
      const bool is_live = random() % 2 == 0;
      const Heard one = converse(seed, is_live, is_live ? live : offline, stall);
      const std::lock_guard lock(mutex);
      heard.push_back(one);
    }
  }
};

TEST_F(Soak, EveryCallerHearsWhatItWouldHearAlone) {
  const std::chrono::seconds duration(std::stoi(setting("MOSHI_SOAK_SECONDS", "6")));
  const int sessions = std::stoi(setting("MOSHI_SOAK_SESSIONS", "12"));
  take_memory(sessions);
  const auto start = Clock::now();
  std::vector<std::thread> callers;
  for (int i = 0; i < sessions; ++i) {
    callers.emplace_back([&, i] { call_until(start + duration, static_cast<uint64_t>(i + 1) * 1'000'000); });
  }
  // All slots have been used by then; what comes later must find room in them.
  std::this_thread::sleep_for(duration / 2);
  const int64_t half_way = resident();
  const ContextStats before = context->stats();
  for (std::thread& caller : callers) caller.join();
  const ContextStats after = context->stats();
  const int64_t grown = resident() - half_way;
  const auto device_grown = static_cast<int64_t>(after.memory_used_bytes - before.memory_used_bytes);
  std::cout << heard.size() << " calls, " << hung_up << " hung up; in the second half memory grew by "
            << grown / 1024 << " KiB, the device's by " << device_grown / 1024 << " KiB\n"
            << "frames, ms: live median " << live.quantile(0.5) << ", 99 % " << live.quantile(0.99)
            << ", longest " << live.quantile(1) << "; offline " << offline.quantile(0.5) << ", "
            << offline.quantile(0.99) << ", " << offline.quantile(1) << "; the longest live one after "
            << std::chrono::duration<double>(live.end_of_longest() - start).count() << " s\n";
  EXPECT_LT(grown, 64 << 20);
  EXPECT_EQ(after.device_allocations, before.device_allocations);
  EXPECT_EQ(after.graph_captures, before.graph_captures);
  const bool gpu = device != "cpu";
  if (gpu) {
    EXPECT_LT(device_grown, 64 << 20);
    EXPECT_LT(live.quantile(1), static_cast<double>(context->codec().frame_ns) * 1e-6);
  }

  // Each once more by itself, as many as there is time for.
  ASSERT_GT(heard.size(), static_cast<size_t>(sessions));
  std::mt19937_64 random(1);
  std::shuffle(heard.begin(), heard.end(), random);
  const std::string comparing =
      setting("MOSHI_SOAK_COMPARE_SECONDS", std::to_string(duration.count()).c_str());
  const auto end = Clock::now() + std::chrono::seconds(std::stoi(comparing));
  size_t compared = 0;
  Latencies ignored;
  for (const Heard& one : heard) {
    if (Clock::now() > end) break;
    const Heard alone = converse(one.seed, false, ignored, [] {});
    ASSERT_EQ(alone.tokens.value, one.tokens.value) << "seed " << one.seed;
    // LibTorch's convolutions may round otherwise in a batch; our kernels do not.
    if (gpu) {
      ASSERT_EQ(alone.codec.value, one.codec.value) << "seed " << one.seed;
    }
    ++compared;
  }
  std::cout << compared << " compared with the same call alone\n";
}

}  // namespace
}  // namespace moshi
