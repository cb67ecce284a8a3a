// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The options every subcommand takes, and the model they name.
#pragma once

#include <moshi/moshi.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

struct CommonOptions {
  std::string model;
  std::string device = "auto";
  std::string precision = "auto";
  std::string kv_precision = "auto";
  int threads = 1;
  bool quiet = false;
  bool json = false;
};

/// How the language model chooses its tokens.
struct SamplingOptions {
  bool greedy = false;
  uint64_t seed = 0;
  double cfg_coef = 0;  // 0: as the checkpoint says
  std::vector<std::string> conditions;
};

/// What the language model is loaded with: without the text of tokens, any number of sessions.
moshi::LmOptions lm_options(const CommonOptions& options);

/// Adds the common options to `command`; `options` must outlive the parse.
void add_common_options(CLI::App& command, CommonOptions& options);

/// Adds the options of sampling; `options` must outlive the parse.
void add_sampling_options(CLI::App& command, SamplingOptions& options);

/// NAME=VALUE pairs taken apart; wrong use where one is not such a pair.
moshi::Conditions parse_conditions(const std::vector<std::string>& pairs);

/// The context of the model these options name (nothing loaded yet). A configuration that cannot be
/// used is a bad file here, not wrong use. Warnings of the library are kept from now on, unless `quiet`.
std::shared_ptr<moshi::ExecutionContext> acquire_context(const CommonOptions& options,
                                                         const std::string& random_weights = "",
                                                         const std::string& context_id = "");

/// The subcommands. Each adds itself to `app` and runs in its callback.
void add_talk(CLI::App& app);
void add_phone(CLI::App& app);
void add_encode(CLI::App& app);
void add_decode(CLI::App& app);
void add_forward(CLI::App& app);
void add_generate(CLI::App& app);
void add_batch(CLI::App& app);
void add_bench(CLI::App& app);
void add_doctor(CLI::App& app);
void add_latency(CLI::App& app);
void add_serve(CLI::App& app);
