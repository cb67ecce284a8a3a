// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "options.h"

#include <regex>

#include "report.h"

namespace {

std::string check_device(const std::string& name) {
  static const std::regex known("auto|cpu|cuda(:[0-9]{1,3})?");
  if (std::regex_match(name, known)) return "";
  return "expected auto, cpu, cuda or cuda:N, found '" + name + "'";
}

}  // namespace

moshi::LmOptions lm_options(const CommonOptions& options) {
  return {.precision = moshi::parse_precision(options.precision),
          .text = false,
          .kv_precision = moshi::parse_kv_precision(options.kv_precision)};
}

void add_common_options(CLI::App& command, CommonOptions& options) {
  command
      .add_option("--model", options.model,
                  "Checkpoint directory or Hugging Face id[@revision] in the local cache (default: the "
                  "embedded model)")
      ->type_name("MODEL");
  command.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")
      ->check(CLI::Validator(check_device, ""))
      ->capture_default_str();
  command.add_option("--precision", options.precision, "The language model's: auto, f32, bf16 or int8")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "int8"}))
      ->capture_default_str();
  command
      .add_option("--kv-precision", options.kv_precision,
                  "What conversations are remembered in: auto (as computed) or int8, half the memory")
      ->check(CLI::IsMember({"auto", "int8"}))
      ->capture_default_str();
  command.add_option("--threads", options.threads, "CPU computing threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_flag("--quiet", options.quiet, "Say nothing but errors");
  command.add_flag("--json", options.json, "Print the result as one line of JSON");
}

void add_sampling_options(CLI::App& command, SamplingOptions& options) {
  command.add_flag("--greedy", options.greedy, "Always the likeliest token");
  command.add_option("--seed", options.seed, "Same seed, same tokens (0: random)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--cfg-coef", options.cfg_coef,
                  "Classifier-free guidance (default: the checkpoint's; 1: off)")
      ->check(CLI::PositiveNumber);
  command.add_option("--condition", options.conditions,
                     "NAME=VALUE, for models that take conditions; repeatable");
}

moshi::Conditions parse_conditions(const std::vector<std::string>& pairs) {
  moshi::Conditions conditions;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    const std::string name = pair.substr(0, equals);
    static const std::regex known_form("[A-Za-z][A-Za-z0-9_-]*");
    if (equals == std::string::npos || !std::regex_match(name, known_form)) {
      throw Failure(Status::Usage, "--condition: expected NAME=VALUE, found '" + pair + "'");
    }
    conditions.emplace_back(name, pair.substr(equals + 1));
  }
  return conditions;
}

std::shared_ptr<moshi::ExecutionContext> acquire_context(const CommonOptions& options,
                                                         const std::string& random_weights,
                                                         const std::string& context_id) {
  moshi::set_warning_handler([quiet = options.quiet](const std::string& line) {
    if (!quiet) keep_warning(line);
  });
  try {
    return moshi::ExecutionContext::acquire({.model = options.model,
                                             .device = options.device,
                                             .context_id = context_id,
                                             .threads = options.threads,
                                             .random_weights = random_weights});
  } catch (const moshi::Error& error) {
    if (error.code() != moshi::ErrorCode::Settings) throw;
    throw Failure(Status::BadFile, error.what());
  }
}
