// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What `gst-moshi latency` is made of: chirps are found where they are, mouth and ear measure a delay that is
// known.
#include <gtest/gtest.h>

#include <random>

#include "latency/chirp.h"
#include "latency/histogram.h"
#include "latency/mouth_and_ear.h"

namespace {

constexpr int kRate = 24000;
constexpr size_t kMillisecond = kRate / 1000;
constexpr size_t kLongest = 2000 * kMillisecond;

/// Chirps at these samples, heard `delay` samples later with this loudness, in noise.
std::vector<float> recording(const std::vector<size_t>& said, size_t delay, float loudness, float noise) {
  const std::vector<float> chirp = latency::make_chirp(kRate);
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed)
  std::normal_distribution<float> hiss(0, 1);
  std::vector<float> samples(said.back() + delay + kLongest);
  for (float& sample : samples) sample = noise * hiss(random);
  for (const size_t begin : said) {
    for (size_t i = 0; i < chirp.size(); ++i) samples[begin + delay + i] += loudness * chirp[i];
  }
  return samples;
}

const std::vector<size_t> said = {12000, 33333, 61234, 80001};

TEST(Chirp, IsFoundToTwoMilliseconds) {
  const latency::ChirpFinder finder(kRate);
  for (const size_t delay : {size_t{0}, 7 * kMillisecond, 333 * kMillisecond, 1700 * kMillisecond}) {
    for (const float loudness : {1.0F, 0.01F}) {
      const auto found = finder.find(recording(said, delay, loudness, loudness * 1e-3F), said, kLongest);
      ASSERT_EQ(found.size(), said.size());
      for (size_t i = 0; i < said.size(); ++i) {
        ASSERT_TRUE(found[i]) << i << " after " << delay;
        EXPECT_NEAR(static_cast<double>(*found[i]), static_cast<double>(said[i] + delay), 2 * kMillisecond);
      }
    }
  }
}

TEST(Chirp, IsNotFoundWhereNoneIs) {
  const latency::ChirpFinder finder(kRate);
  for (const float noise : {0.0F, 0.1F}) {
    for (const auto& found : finder.find(recording(said, 0, 0, noise), said, kLongest)) EXPECT_FALSE(found);
  }
  for (const auto& found : finder.find({}, said, kLongest)) EXPECT_FALSE(found);
}

TEST(Chirp, ALostOneIsMissedAlone) {
  const std::vector<size_t> heard = {said[0], said[1], said[3]};
  const auto found =
      latency::ChirpFinder(kRate).find(recording(heard, 500 * kMillisecond, 1, 1e-3F), said, kLongest);
  EXPECT_TRUE(found[0] && found[1] && found[3]);
  EXPECT_FALSE(found[2]);
}

/// Milliseconds from mouth to ear with `path` between them.
double measured_ms(const std::string& path) {
  const std::vector<size_t> chirps = {kRate / 2, kRate * 5 / 4};
  latency::Mouth mouth(recording(chirps, 0, 1, 0), kRate);
  latency::Ear ear(kRate);
  Pipeline pipeline;
  pipeline.add_bin(latency::Mouth::kSource + (" ! " + path + " ! ") + ear.sink());
  mouth.attach(pipeline);
  ear.attach(pipeline);
  Progress progress(true);
  const gint64 end = g_get_monotonic_time() + gint64{3} * G_USEC_PER_SEC;
  pipeline.run_until(progress, [end] { return g_get_monotonic_time() > end; });
  const auto found = latency::ChirpFinder(kRate).find(ear.samples(), chirps, kRate);
  EXPECT_TRUE(found[0] && found[1]);
  const size_t last = found[1].value_or(0);
  return (static_cast<double>(ear.time_of(last)) - static_cast<double>(mouth.time_of(chirps[1]))) * 1e-6;
}

TEST(MouthAndEar, MeasureWhatADelayAdds) {
  const double without = measured_ms("queue");
  EXPECT_NEAR(without, 30, 8) << "a piece of the mouth's, and what every live sink allows for its work";
  EXPECT_NEAR(measured_ms("queue min-threshold-time=150000000") - without, 150, 10);
}

TEST(Histogram, CountsInBarsOfRoundWidth) {
  const latency::Histogram histogram = latency::count({250.4, 251, 251.9, 268, 272.5});
  EXPECT_EQ(histogram.width, 2);
  EXPECT_EQ(histogram.first, 250);
  EXPECT_EQ(histogram.counts, (std::vector<int>{3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1}));
  EXPECT_EQ(latency::count({1, 500}).width, 50);
  EXPECT_EQ(latency::count({7}).counts, std::vector<int>{1});
  EXPECT_TRUE(latency::count({}).counts.empty());
}

TEST(Histogram, IsPrintedWithALineABar) {
  EXPECT_EQ(
      latency::to_text({10, 5, {4, 0, 1}}),
      "      10 |" + std::string(50, '#') + " 4\n      15 | 0\n      20 |" + std::string(13, '#') + " 1\n");
}

TEST(Histogram, IsDrawnWithABarForEachThatIsNotEmpty) {
  const std::string svg = latency::to_svg({10, 5, {4, 0, 1}}, "title", "ms");
  size_t bars = 0;
  for (size_t at = svg.find("fill=\"#3465a4\""); at != std::string::npos;
       at = svg.find("fill=\"#3465a4\"", at + 1))
    ++bars;
  EXPECT_EQ(bars, 2U);
  EXPECT_NE(svg.find("25 ms</text>"), std::string::npos) << svg;
  EXPECT_NE(svg.find(">title</text>"), std::string::npos);
}

}  // namespace
