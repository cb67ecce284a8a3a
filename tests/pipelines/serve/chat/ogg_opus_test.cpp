// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/chat/ogg_opus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace serve {
namespace {

constexpr int kRate = 24000;
constexpr int kFrame = 1920;

std::vector<float> tone(int samples) {
  std::vector<float> pcm(static_cast<size_t>(samples));
  for (int i = 0; i < samples; ++i)
    pcm[static_cast<size_t>(i)] = 0.3F * std::sin(2 * 3.14159265F * 440.0F * static_cast<float>(i) / kRate);
  return pcm;
}

std::vector<uint8_t> written(const std::vector<float>& pcm, int serial = 7) {
  OggOpusWriter writer(serial);
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < pcm.size(); i += kFrame) {
    writer.write({pcm.data() + i, std::min<size_t>(kFrame, pcm.size() - i)}, bytes);
  }
  return bytes;
}

std::vector<float> read(OggOpusReader& reader, const std::vector<uint8_t>& bytes, size_t piece) {
  std::vector<float> pcm;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    reader.read({bytes.data() + i, std::min(piece, bytes.size() - i)}, pcm);
  }
  return pcm;
}

double loudness(const std::vector<float>& pcm) {
  double sum = 0;
  for (const float sample : pcm) sum += sample * sample;
  return std::sqrt(sum / static_cast<double>(pcm.size()));
}

/// Where pages begin.
std::vector<size_t> pages(const std::vector<uint8_t>& bytes) {
  std::vector<size_t> found;
  for (size_t i = 0; i + 4 <= bytes.size(); ++i) {
    if (std::memcmp(bytes.data() + i, "OggS", 4) == 0) found.push_back(i);
  }
  return found;
}

TEST(OggOpus, ComesBackHoweverItIsCut) {
  const std::vector<float> pcm = tone(kFrame * 25);
  const std::vector<uint8_t> bytes = written(pcm);
  OggOpusReader whole;
  const std::vector<float> expected = read(whole, bytes, bytes.size());
  EXPECT_EQ(expected.size(), pcm.size());
  EXPECT_NEAR(loudness(expected), loudness(pcm), 0.02);
  for (const size_t piece : {1, 7, 100, 5000}) {
    OggOpusReader reader;
    EXPECT_EQ(read(reader, bytes, piece), expected) << piece;
  }
}

TEST(OggOpus, HasHeadersThenAPacketAPage) {
  const std::vector<uint8_t> bytes = written(tone(kFrame * 2));
  const std::vector<size_t> starts = pages(bytes);
  ASSERT_EQ(starts.size(), 2U + 4);  // Web clients count: sound begins with page 2.
  EXPECT_EQ(bytes[5], 2);            // The flag of a stream's beginning.
  EXPECT_EQ(std::memcmp(bytes.data() + 28, "OpusHead", 8), 0);
  EXPECT_EQ(bytes[37], 1);  // Channels, where web clients look for them.
  const auto granule = [&](size_t page) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + starts[page] + 6, sizeof value);
    return value;
  };
  EXPECT_EQ(granule(2), 1920U);  // 40 ms at 48 kHz.
  EXPECT_EQ(granule(5), 4 * 1920U);
}

TEST(OggOpus, GoesOnAfterGarbageMissingPagesAndNewStreams) {
  const std::vector<uint8_t> first = written(tone(kFrame * 5), 1);
  const std::vector<uint8_t> second = written(tone(kFrame * 5), 2);
  OggOpusReader reader;
  EXPECT_EQ(read(reader, first, 64).size(), 5U * kFrame);
  std::vector<float> pcm;
  const std::vector<uint8_t> garbage(3000, 'O');
  reader.read(garbage, pcm);
  EXPECT_TRUE(pcm.empty());
  EXPECT_GE(reader.passed_over(), 2000U);
  // Without headers, and with a page that is not there.
  const std::vector<size_t> starts = pages(second);
  std::vector<uint8_t> rest(second.begin() + static_cast<ptrdiff_t>(starts[2]),
                            second.begin() + static_cast<ptrdiff_t>(starts[4]));
  rest.insert(rest.end(), second.begin() + static_cast<ptrdiff_t>(starts[5]), second.end());
  EXPECT_EQ(read(reader, rest, 333).size(), 9U * kFrame / 2);
  EXPECT_EQ(reader.passed_over(), 0U);
}

TEST(OggOpus, HoldsOutAgainstAnything) {
  std::mt19937 random(3);
  const std::vector<uint8_t> good = written(tone(kFrame * 10));
  for (int round = 0; round < 300; ++round) {
    std::vector<uint8_t> bytes = good;
    for (int i = 0; i < 20; ++i) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    OggOpusReader reader;
    const std::vector<float> pcm = read(reader, bytes, 1 + random() % 400);
    EXPECT_LE(pcm.size(), 10U * kFrame);
  }
}

}  // namespace
}  // namespace serve
