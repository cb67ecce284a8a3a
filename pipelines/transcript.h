// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "announced_words.h"
#include "pipeline.h"

/// Collects the words of a text stream.
class Transcript {
 public:
  /// `announced`: the model announces its words (speech to text). `shift_ns` is taken from every time stamp;
  /// text before it does not count. `on_word` hears of each word when it is complete, on the
  /// streaming thread.
  Transcript(int64_t frame_ns, bool announced, int64_t shift_ns,
             std::function<void(const moshi::Word&)> on_word);
  /// Listens at the sink pad of `element`, where moshilm's text arrives.
  void listen(Pipeline& pipeline, GstElement* element);
  /// The words; complete once the pipeline has ended.
  [[nodiscard]] const std::vector<moshi::Word>& words() const { return words_; }

 private:
  void push(const GstPadProbeInfo& info);
  void push_piece(int64_t pts_ns, const std::string& piece);
  void push_gap(GstEvent* event);
  void add(std::optional<moshi::Word> word);

  moshi::WordAssembler spoken_;
  AnnouncedWords announced_words_;
  bool announced_;
  int64_t shift_ns_;
  std::function<void(const moshi::Word&)> on_word_;
  std::vector<moshi::Word> words_;
};

/// {"start": s, "end": s, "text": "word"}.
nlohmann::ordered_json to_json(const moshi::Word& word);

/// One line of JSON a word.
std::string to_jsonl(const std::vector<moshi::Word>& words);
