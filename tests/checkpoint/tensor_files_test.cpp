// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <cstring>

#include "checkpoint/codec_id.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/sha256.h"
#include "support.h"

namespace moshi::checkpoint {
namespace {

using test::bytes_of;
using test::expect_error;

/// Writes a file of U8 tensors, each with its content as given.
std::filesystem::path write(const test::TemporaryDirectory& directory, const std::string& file,
                            const std::vector<std::pair<std::string, std::string>>& tensors) {
  std::vector<TensorToWrite> list;
  for (const auto& [name, content] : tensors)
    list.push_back({name, Dtype::U8, {static_cast<int64_t>(content.size())}, bytes_of(content)});
  write_safetensors(directory.path() / file, list);
  return directory.path() / file;
}

std::string content(const TensorView* tensor) {
  return {reinterpret_cast<const char*>(tensor->data.data()), tensor->data.size()};
}

TEST(TensorFiles, OneFile) {
  const test::TemporaryDirectory directory;
  const auto path = write(directory, "model.safetensors", {{"b", "2"}, {"a", "1"}});
  const TensorFiles files = TensorFiles::open(path);
  EXPECT_EQ(files.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(content(files.find("b")), "2");
  EXPECT_EQ(files.find("c"), nullptr);
  EXPECT_EQ(files.path(), path);
}

class Shards : public ::testing::Test {
 protected:
  Shards() {
    write(directory_, "model-00001-of-00002.safetensors", {{"a", "1"}, {"b", "2"}});
    write(directory_, "model-00002-of-00002.safetensors", {{"c", "3"}});
  }
  TensorFiles open(const std::string& weight_map) {
    return TensorFiles::open(directory_.write("model.safetensors.index.json",
                                              R"({"metadata":{},"weight_map":)" + weight_map + "}"));
  }
  test::TemporaryDirectory directory_;
};

TEST_F(Shards, AreReadTogether) {
  const TensorFiles files =
      open(R"({"a":"model-00001-of-00002.safetensors","b":"model-00001-of-00002.safetensors",
                                     "c":"model-00002-of-00002.safetensors"})");
  EXPECT_EQ(files.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(content(files.find("c")), "3");
}

TEST_F(Shards, MissingShardIsNamed) {
  expect_error(ErrorCode::NotFound, "shard model-00003-of-00003.safetensors is missing",
               [&] { open(R"({"a":"model-00003-of-00003.safetensors"})"); });
}

TEST_F(Shards, TensorThatIsNotInItsShard) {
  expect_error(ErrorCode::WrongType, "tensor \"c\" is not in shard model-00001-of-00002.safetensors",
               [&] { open(R"({"c":"model-00001-of-00002.safetensors"})"); });
}

TEST_F(Shards, NamesNeverLeaveTheDirectory) {
  for (const char* name : {R"("../secret.safetensors")", R"("/etc/passwd")", R"("..")", R"("")", "7", "null",
                           R"("a\u0000b")", R"("sub/x.safetensors")"}) {
    expect_error(ErrorCode::WrongType, "expected file names beside the index, found",
                 [&] { open(R"({"a":)" + std::string(name) + "}"); });
  }
}

TEST_F(Shards, BadIndexes) {
  const auto index = [&](const std::string& text) {
    TensorFiles::open(directory_.write("model.safetensors.index.json", text));
  };
  expect_error(ErrorCode::WrongType, "expected an index of shards, found no weight_map",
               [&] { index("{}"); });
  expect_error(ErrorCode::WrongType, "found no weight_map", [&] { index(R"({"weight_map":[]})"); });
  expect_error(ErrorCode::WrongType, "found no weight_map", [&] { index("[]"); });
  expect_error(ErrorCode::WrongType, "expected JSON, found something else at byte 2", [&] { index("{"); });
  expect_error(ErrorCode::WrongType, "\"a\" is there twice",
               [&] { index(R"({"weight_map":{"a":"x","a":"y"}})"); });
  expect_error(ErrorCode::NotFound, "expected a file, found nothing",
               [&] { TensorFiles::open(directory_.path() / "none.index.json"); });
}

TEST(Sha256, KnownDigests) {  // FIPS 180-4 examples.
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.update("abcdbcdecdefdefgefghfghigh");
  hash.update("ijhijkijkljklmklmnlmnomnopnopq");
  EXPECT_EQ(hash.hex(), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(CodecId, AgreesForEveryFileOfOneCodec) {
  const test::TemporaryDirectory directory;
  const std::string book = "quantizer.rvq_first.vq.layers.0._codebook.";
  const auto id = [&](const std::vector<std::pair<std::string, std::string>>& tensors) {
    return codec_id(TensorFiles::open(write(directory, "mimi.safetensors", tensors)));
  };
  const std::string current = id({{book + "_initialized", "1"},
                                  {book + "cluster_usage", "22"},
                                  {book + "embedding_sum", "333"},
                                  {"encoder.model.0.conv.conv.bias", "4"}});
  EXPECT_EQ(
      current,
      "mimi-" + sha256_hex(book + "cluster_usage U8 2\n22" + book + "embedding_sum U8 3\n333").substr(0, 8));
  EXPECT_EQ(id({{book + "inited", "9"}, {book + "cluster_size", "22"}, {book + "embed_avg", "333"}}),
            current);
  EXPECT_EQ(id({{book + "embed_sum", "333"}, {book + "cluster_size", "22"}}), current);
  EXPECT_NE(id({{book + "cluster_usage", "22"}, {book + "embedding_sum", "334"}}), current);
  EXPECT_NE(id({{book + "cluster_usage", "22"}}), current);
}

}  // namespace
}  // namespace moshi::checkpoint
