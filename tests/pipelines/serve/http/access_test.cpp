// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "report.h"
#include "serve/http/keys.h"
#include "serve/http/origins.h"
#include "serve/http/rate.h"
#include "serve/http/request.h"

namespace serve {
namespace {

/// A file of keys for a test.
class KeyFile {
 public:
  explicit KeyFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() / ("keys-" + std::to_string(getpid()))) {
    std::ofstream(path_) << text;
  }
  ~KeyFile() { std::filesystem::remove(path_); }
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

template <typename Make>
std::string failure_of(Make make) {
  try {
    make();
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

TEST(Keys, AreTheLinesOfTheirFile) {
  const KeyFile file("# ours\r\n0123456789abcdef\r\n\nfedcba9876543210\n");
  const Keys keys(file.path());
  EXPECT_EQ(keys.line_of("0123456789abcdef"), 2);
  EXPECT_EQ(keys.line_of("fedcba9876543210"), 4);
  for (const char* other : {"", "# ours", "0123456789abcde", "0123456789abcdeff", "0123456789ABCDEF"})
    EXPECT_FALSE(keys.line_of(other).has_value()) << other;
}

TEST(Keys, SayWhatIsNone) {
  EXPECT_EQ(failure_of([] { Keys("/nowhere"); }),
            "--keys /nowhere: expected a file, found: No such file or directory");
  const KeyFile empty("# none\n\n");
  EXPECT_EQ(failure_of([&] { Keys(empty.path()); }),
            "--keys " + empty.path() + ": expected a key a line, found none");
  for (const char* bad : {"short", "0123456789 abcdef", "0123456789abcdef\xc3\xa9"}) {
    const KeyFile file(std::string("0123456789abcdef\n") + bad + "\n");
    const std::string line = failure_of([&] { Keys(file.path()); });
    EXPECT_EQ(line, file.path() +
                        ", line 2: expected a key of 16 or more letters of ASCII without spaces, found "
                        "another; make one with: openssl rand -hex 16");
  }
}

TEST(Origins, AreAllWithoutAList) {
  const Origins all({});
  EXPECT_TRUE(all.permits("https://any.example", "localhost:8998"));
  EXPECT_TRUE(all.permits("", "localhost:8998"));
  EXPECT_FALSE(all.lists("https://any.example"));  // It may hold conversations, and read no answers.
}

TEST(Origins, AreThoseOfTheListAndTheServersOwn) {
  const Origins some({"https://app.example", "http://other.example:8080"});
  EXPECT_TRUE(some.permits("https://app.example", "moshi:8998"));
  EXPECT_TRUE(some.permits("http://moshi:8998", "moshi:8998"));
  EXPECT_TRUE(some.permits("", "moshi:8998"));
  for (const char* other : {"http://app.example", "https://app.example:8443", "https://app.example.evil",
                            "null", "https://moshi", "://moshi:8998/"})
    EXPECT_FALSE(some.permits(other, "moshi:8998")) << other;
  EXPECT_TRUE(some.lists("http://other.example:8080"));
  EXPECT_FALSE(some.lists("http://moshi:8998"));
  EXPECT_FALSE(some.lists(""));
  EXPECT_TRUE(Origins({"*"}).lists("https://any.example"));
}

TEST(Origins, SayWhatIsNone) {
  for (const char* bad : {"app.example", "https://app.example/", "", "https://"}) {
    EXPECT_EQ(failure_of([&] { Origins({bad}); }),
              std::string("--origin ") + bad +
                  ": expected where pages are from, as https://app.example:8443 or *, found another form");
  }
}

TEST(TokenBucket, FillsAgain) {
  TokenBucket bucket(10, 2);
  EXPECT_TRUE(bucket.take(10, 0));
  EXPECT_FALSE(bucket.take(1, 0));
  EXPECT_FALSE(bucket.take(3, 1));
  EXPECT_TRUE(bucket.take(2, 1));
  EXPECT_TRUE(bucket.take(10, 1000));  // No more than it holds.
  EXPECT_FALSE(bucket.take(1, 1000));
}

TEST(RateLimit, IsEachCallersOwn) {
  RateLimit rate(2);
  EXPECT_EQ(rate.take("a", 0), 0);
  EXPECT_EQ(rate.take("a", 0), 0);
  EXPECT_EQ(rate.take("a", 0), 30);
  EXPECT_EQ(rate.take("a", 20.5), 10);
  EXPECT_EQ(rate.take("b", 20), 0);
  EXPECT_EQ(rate.take("a", 30), 0);
  RateLimit none(0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(none.take("a", 0), 0);
}

TEST(TraceParent, HasATraceId) {
  EXPECT_EQ(trace_id_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            "4bf92f3577b34da6a3ce929d0e0e4736");
  for (const char* none : {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "\"}\n{"})
    EXPECT_EQ(trace_id_of(none), "") << none;
}

}  // namespace
}  // namespace serve
