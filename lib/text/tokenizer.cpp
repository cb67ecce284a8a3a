// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "text/tokenizer.h"

#include <sentencepiece_processor.h>

#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi::text {
namespace {

constexpr std::string_view kSpace = "\u2581";  // SentencePiece's mark for a space.

}  // namespace

struct Tokenizer::Impl {
  sentencepiece::SentencePieceProcessor processor;
};

Tokenizer::Tokenizer(const std::filesystem::path& model) : impl_(std::make_unique<Impl>()) {
  const std::string content = checkpoint::read_text_file(model);
  if (!impl_->processor.LoadFromSerializedProto(content).ok() || size() == 0)
    throw Error(ErrorCode::WrongType,
                checkpoint::printable_path(model) +
                    ": expected a SentencePiece model, found something else; download it again");
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

int Tokenizer::size() const { return impl_->processor.GetPieceSize(); }

std::string Tokenizer::piece(int32_t id) const {
  const auto& processor = impl_->processor;
  if (id < 0 || id >= size()) return "";
  if (processor.IsControl(id) || processor.IsUnused(id) || processor.IsUnknown(id)) return "";
  const std::string& piece = processor.IdToPiece(id);
  std::string text;
  for (size_t at = 0; at < piece.size();) {
    const bool space = piece.compare(at, kSpace.size(), kSpace) == 0;
    text += space ? ' ' : piece[at];
    at += space ? kSpace.size() : 1;
  }
  return text;
}

}  // namespace moshi::text
