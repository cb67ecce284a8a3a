// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a conversation has whatever carries its speech: the language model, its words, its result.
#pragma once

#include "options.h"
#include "pipeline.h"
#include "transcript.h"

/// A seed that the result can name, so that a good reply can be had again: `wanted`, or a random one for 0.
uint64_t choose_seed(uint64_t wanted);

/// Loads the model and times it before a live conversation, whose first frames would wait for that.
void prepare(moshi::ExecutionContext& context, const CommonOptions& options, Progress& progress);

/// Adds moshilm with these settings. `allow_slow`: hold live conversations with gaps, too.
GstElement* add_language_model(Pipeline& pipeline, const CommonOptions& options,
                               const SamplingOptions& sampling, uint64_t seed, bool allow_slow);

/// Links source ! mimienc ! model ! mimidec ! sink; without the codec where both ends carry `codes`, without
/// what follows the model where `sink` is null. Returns mimienc, null where there is none.
GstElement* link_conversation(Pipeline& pipeline, const CommonOptions& options, GstElement* source,
                              GstElement* model, GstElement* sink, bool codes = false);

/// Makes `transcript` hear the words of `model`; of a live pipeline, when they are spoken.
void add_transcript(Pipeline& pipeline, GstElement* model, Transcript& transcript, bool live);

/// A word as printed: start and end in seconds, and its text.
std::string to_text(const moshi::Word& word);

/// Adds to `result` what `model` has done, and the words; `seed` 0 where its tokens were not drawn.
void add_result(nlohmann::ordered_json& result, GstElement* model, uint64_t seed, int64_t frame_ns,
                const std::vector<moshi::Word>& words);
