// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "phone/audiosocket.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "pipeline.h"
#include "report.h"

namespace {

using Bytes = std::vector<uint8_t>;

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A message with its header.
Bytes message(uint8_t kind, const Bytes& payload) {
  return Bytes{kind, static_cast<uint8_t>(payload.size() >> 8), static_cast<uint8_t>(payload.size())} +
         payload;
}

Bytes id_message() {
  Bytes id(16);
  std::iota(id.begin(), id.end(), uint8_t{0x10});
  return message(0x01, id);
}

/// What a call brings that begins with `id_message()`.
class Stream {
 public:
  explicit Stream(const Bytes& bytes)
      : stream_(
            g_memory_input_stream_new_from_data(bytes.data(), static_cast<gssize>(bytes.size()), nullptr)),
        reader(stream_.get(), nullptr) {}

 private:
  ObjectHandle<GInputStream> stream_;

 public:
  audiosocket::Reader reader;
};

/// The line that says what is wrong with a call.
std::string complaint(const Bytes& bytes) {
  Stream stream(bytes);
  try {
    stream.reader.id();
    while (stream.reader.speech()) {
    }
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.status(), Status::Other);
    return failure.what();
  }
  return "";
}

TEST(AudioSocket, ReadsACall) {
  const Bytes bytes = id_message() + message(0x10, {1, 2, 3, 4}) + message(0x03, {'5'}) + message(0x10, {}) +
                      message(0x10, Bytes(320, 7)) + message(0x00, {}) + message(0x10, {9, 9});
  Stream stream(bytes);
  EXPECT_EQ(stream.reader.id(), "10111213-1415-1617-1819-1a1b1c1d1e1f");
  auto speech = stream.reader.speech();
  ASSERT_TRUE(speech);
  EXPECT_EQ(speech->rate, 8000);
  EXPECT_EQ(speech->samples, (Bytes{1, 2, 3, 4}));
  speech = stream.reader.speech();
  ASSERT_TRUE(speech) << "a key pressed and nothing said are passed over";
  EXPECT_EQ(speech->samples.size(), 320U);
  EXPECT_FALSE(stream.reader.speech()) << "hung up";
}

TEST(AudioSocket, TheEndOfTheConnectionIsAnEnd) {
  Stream nothing(Bytes{});
  EXPECT_FALSE(nothing.reader.id());
  const Bytes bytes = id_message();
  Stream silent(bytes);
  EXPECT_TRUE(silent.reader.id());
  EXPECT_FALSE(silent.reader.speech());
}

TEST(AudioSocket, KnowsTheRatesOfAllKinds) {
  const std::vector<int> rates = {8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000};
  for (size_t i = 0; i < rates.size(); ++i) {
    const auto kind = static_cast<uint8_t>(0x10 + i);
    const Bytes bytes = id_message() + message(kind, {1, 2});
    Stream stream(bytes);
    stream.reader.id();
    const auto speech = stream.reader.speech();
    ASSERT_TRUE(speech);
    EXPECT_EQ(speech->rate, rates[i]);
    EXPECT_EQ(audiosocket::speech(rates[i], speech->samples), message(kind, {1, 2}));
  }
}

TEST(AudioSocket, WritesLengthsBigEndian) {
  const Bytes written = audiosocket::speech(8000, Bytes(0x1234));
  EXPECT_EQ(Bytes(written.begin(), written.begin() + 3), (Bytes{0x10, 0x12, 0x34}));
  EXPECT_EQ(written.size(), 3U + 0x1234);
  EXPECT_EQ(audiosocket::hang_up(), (Bytes{0, 0, 0}));
}

TEST(AudioSocket, SaysWhatIsWrong) {
  const std::string web = "GET / HTTP/1.1\r\nHost: moshi\r\n\r\n";
  const Bytes id = id_message();
  const std::string no_call =
      "expected an AudioSocket call, which begins with a UUID (kind 0x01), found a message of kind ";
  const std::string what_to_do = "; connect Asterisk's AudioSocket here and nothing else";
  const std::vector<std::pair<Bytes, std::string>> cases = {
      {Bytes(web.begin(), web.end()), no_call + "0x47" + what_to_do},
      {message(0x10, {1, 2}), no_call + "0x10" + what_to_do},
      {message(0x01, {1}), "expected a UUID of 16 bytes, found 1 byte"},
      {id + message(0x42, {1}),
       "expected speech (kinds 0x10 to 0x18), a key (0x03) or the end (0x00), found a message of kind 0x42"},
      {id + message(0x19, {1, 2}),
       "expected speech (kinds 0x10 to 0x18), a key (0x03) or the end (0x00), found a message of kind 0x19"},
      {id + id,
       "expected speech (kinds 0x10 to 0x18), a key (0x03) or the end (0x00), found a message of kind 0x01"},
      {id + message(0x10, {1, 2, 3}), "expected samples of 2 bytes, found 3 bytes of them"},
      {id + message(0x10, {1, 2}) + message(0x12, {1, 2}),
       "expected speech at 8000 Hz as before, found 16000 Hz"},
      {id + message(0xff, {4}), "expected speech, found an error of the other side, 0x04"},
      {id + message(0xff, {}), "expected speech, found an error of the other side"},
      {id + Bytes{0x10, 0},
       "expected a message of 3 bytes or more, found the end of the connection after 2 bytes"},
      {id + Bytes{0x10, 0, 4, 1},
       "expected a message of 4 bytes after its length, found the end of the connection after 1 byte"},
  };
  for (const auto& [bytes, line] : cases) EXPECT_EQ(complaint(bytes), line);
}

/// Whatever bytes come: an end or one line, never more speech than there were bytes.
TEST(AudioSocket, SurvivesAnything) {
  std::mt19937 random(5);
  const Bytes call = id_message() + message(0x10, Bytes(320)) + message(0x03, {'1'}) +
                     message(0x10, Bytes(320)) + message(0x00, {});
  int complaints = 0;
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = call;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      // Headers are few among many samples: change them as often.
      const size_t place = random() % 2 == 0 ? random() % bytes.size() : random() % 24;
      bytes[place] = static_cast<uint8_t>(random());
    }
    bytes.resize(random() % 4 == 0 ? random() % bytes.size() : bytes.size());
    Stream stream(bytes);
    try {
      size_t heard = 0;
      if (!stream.reader.id()) continue;
      while (const auto speech = stream.reader.speech()) {
        ASSERT_FALSE(speech->samples.empty());
        ASSERT_EQ(speech->samples.size() % 2, 0U);
        heard += speech->samples.size();
      }
      ASSERT_LE(heard, bytes.size());
    } catch (const Failure& failure) {
      ++complaints;
      const std::string line = failure.what();
      ASSERT_EQ(line.find("expected "), 0U);
      ASSERT_NE(line.find(", found "), std::string::npos);
    }
  }
  EXPECT_GT(complaints, 5000);
  EXPECT_LT(complaints, 20000);
}

}  // namespace
