// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Callers that come and go, stall, flush and hang up in mid-frame: each must hear what it would hear alone,
// and no memory may stay behind. A few seconds in the suite; MOSHI_SOAK_SECONDS=480 MOSHI_SOAK_SESSIONS=32
// MOSHI_SOAK_DEVICE=cuda for more.
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

namespace moshi {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kConfig = R"({
  "dim": 64, "num_heads": 2, "num_layers": 2, "hidden_scale": 6, "context": 100,
  "norm": "rms_norm_f32", "positional_embedding": "rope", "gating": "silu", "causal": true,
  "n_q": 6, "dep_q": 3, "card": 2048, "text_card": 90, "delays": [0, 0, 1, 1, 0, 1, 1],
  "depformer_dim": 64, "depformer_num_heads": 2, "depformer_num_layers": 1, "depformer_dim_feedforward": 192,
  "depformer_gating": "silu", "depformer_pos_emb": "none", "depformer_multi_linear": true,
  "depformer_weights_per_step": true})";

std::string setting(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

/// What one call of a caller is to be: everything follows from the seed.
struct Script {
  explicit Script(uint64_t seed) : seed(seed), random(seed) {
    frames = std::uniform_int_distribution(1, 160)(random);
    flush_at = random() % 3 == 0 ? std::uniform_int_distribution(0, frames)(random) : -1;
  }
  std::vector<uint16_t> codes(const LmInfo& info) {
    std::vector<uint16_t> made(static_cast<size_t>(info.user_codebooks));
    for (uint16_t& code : made) code = static_cast<uint16_t>(random() % static_cast<uint64_t>(info.card));
    return made;
  }
  uint64_t seed;
  std::mt19937_64 random;
  int frames = 0;
  int flush_at = -1;
};

struct Heard {
  uint64_t seed = 0;
  std::vector<int32_t> tokens;
};

std::unique_ptr<LmSession> open(ExecutionContext& context, uint64_t seed, bool live) {
  LmSessionOptions options;
  options.live = live;
  options.sampling = context.lm().sampling;
  options.sampling.seed = seed + 1;
  options.sampling.greedy = seed % 4 == 0;
  return context.open_lm(options);
}

void append(const LmFrame& frame, std::vector<int32_t>& tokens) {
  tokens.push_back(frame.text);
  tokens.insert(tokens.end(), frame.audio.begin(), frame.audio.end());
}

/// The script's conversation, with `pause` called before each frame.
template <typename Pause>
Heard converse(ExecutionContext& context, uint64_t seed, bool live, const Pause& pause) {
  Script script(seed);
  const auto session = open(context, seed, live);
  Heard heard{seed, {}};
  LmFrame frame;
  for (int i = 0; i < script.frames; ++i) {
    if (i == script.flush_at) session->reset();
    pause();
    session->submit(script.codes(context.lm()));
    session->await(frame);
    append(frame, heard.tokens);
  }
  return heard;
}

/// Hangs up while a frame is under way.
void hang_up(ExecutionContext& context, uint64_t seed) {
  Script script(seed);
  const auto session = open(context, seed, true);
  Cancellation cancel;
  session->submit(script.codes(context.lm()));
  cancel.cancel();
  LmFrame frame;
  try {
    session->await(frame, &cancel);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Cancelled);
  }
}

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
  std::shared_ptr<ExecutionContext> context;
  std::mutex mutex;
  std::vector<Heard> heard;
  int hung_up = 0;

  Soak() {
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "config.json") << kConfig;
    ContextOptions options;
    options.random_weights = (directory / "config.json").string();
    options.device = setting("MOSHI_SOAK_DEVICE", "cpu");
    context = ExecutionContext::acquire(options);
    context->load_lm({Precision::F32, 0, false});
  }
  ~Soak() override { std::filesystem::remove_all(directory); }

  /// Callers one after the other until the end.
  void call_until(Clock::time_point end, uint64_t first_seed) {
    std::mt19937_64 random(first_seed);
    for (uint64_t seed = first_seed; Clock::now() < end; ++seed) {
      if (random() % 8 == 0) {
        hang_up(*context, seed);
        const std::lock_guard lock(mutex);
        ++hung_up;
        continue;
      }
      Heard one = converse(*context, seed, random() % 2 == 0, [&] {
        if (random() % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(random() % 30));
      });
      const std::lock_guard lock(mutex);
      heard.push_back(std::move(one));
    }
  }
};

TEST_F(Soak, EveryCallerHearsWhatItWouldHearAlone) {
  const std::chrono::seconds duration(std::stoi(setting("MOSHI_SOAK_SECONDS", "6")));
  const int sessions = std::stoi(setting("MOSHI_SOAK_SESSIONS", "12"));
  const auto start = Clock::now();
  std::vector<std::thread> callers;
  for (int i = 0; i < sessions; ++i) {
    callers.emplace_back([&, i] { call_until(start + duration, static_cast<uint64_t>(i + 1) * 1'000'000); });
  }
  // All slots have been used by then; what comes later must find room in them.
  std::this_thread::sleep_for(duration / 2);
  const int64_t half_way = resident();
  const uint64_t allocations = context->stats().device_allocations;
  for (std::thread& caller : callers) caller.join();
  const int64_t grown = resident() - half_way;
  std::cout << heard.size() << " conversations, " << hung_up << " hung up; memory grew by " << grown / 1024
            << " KiB in the second half\n";
  EXPECT_LT(grown, 64 << 20);
  EXPECT_EQ(context->stats().device_allocations, allocations);

  ASSERT_GT(heard.size(), static_cast<size_t>(sessions));
  std::mt19937_64 random(1);
  std::shuffle(heard.begin(), heard.end(), random);
  heard.resize(std::min<size_t>(heard.size(), 40 + 4 * static_cast<size_t>(duration.count())));
  for (const Heard& one : heard) {
    ASSERT_EQ(converse(*context, one.seed, false, [] {}).tokens, one.tokens) << "seed " << one.seed;
  }
}

}  // namespace
}  // namespace moshi
