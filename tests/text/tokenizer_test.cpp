// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "text/tokenizer.h"

#include "support.h"

namespace moshi::text {
namespace {

TEST(Tokenizer, Pieces) {
  const Tokenizer tokenizer(RANDOM_CHECKPOINT "/tokenizer.model");
  EXPECT_EQ(tokenizer.size(), 500);
  for (const int32_t silent : {0, 1, 2, 3, -1, -2, 500, 32000, INT32_MAX, INT32_MIN})
    EXPECT_EQ(tokenizer.piece(silent), "") << silent;
  EXPECT_EQ(tokenizer.piece(4), " the");
  bool inner = false;
  for (int32_t id = 4; id < tokenizer.size(); ++id) {
    const std::string piece = tokenizer.piece(id);
    EXPECT_FALSE(piece.empty()) << id;
    EXPECT_EQ(piece.find("\u2581"), piece.npos) << id;
    inner = inner || piece.front() != ' ';
  }
  EXPECT_TRUE(inner);
}

TEST(Tokenizer, FilesThatAreNoModel) {
  const test::TemporaryDirectory directory;
  test::expect_error(ErrorCode::NotFound, "none.model: expected a file, found nothing",
                     [&] { Tokenizer(directory.path() / "none.model"); });
  for (const std::string& content : {std::string(), std::string("no model"), std::string(1000, '\xff')}) {
    const auto path = directory.write("bad.model", content);
    test::expect_error(ErrorCode::WrongType,
                       "bad.model: expected a SentencePiece model, found something else",
                       [&] { Tokenizer{path}; });
  }
}

}  // namespace
}  // namespace moshi::text
