// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi generate`: codes in, tokens out, several conversations in lock step or not.
#include "options.h"
#include "output_file.h"
#include "report.h"
#include "tensors.h"

namespace {

struct GenerateOptions : CommonOptions, SamplingOptions {
  std::string input;
  std::string output;
};

/// The conversations of one run, a session a row.
class Rows {
 public:
  Rows(moshi::ExecutionContext& context, const moshi::LmSessionOptions& options, int64_t batch)
      : context_(context) {
    for (int64_t row = 0; row < batch; ++row) sessions_.push_back(context.open_lm(options));
  }

  void reset(int64_t row) { sessions_[row]->reset(); }

  /// One step of the rows in `active`: codes(row) gives a row's codes, result(row, frame) takes its
  /// tokens. All rows are under way before the engine starts, so they run as one batch.
  template <typename Codes, typename Result>
  void step(const std::vector<int64_t>& active, Codes codes, Result result) {
    {
      const auto hold = context_.hold();
      for (const int64_t row : active) sessions_[row]->submit(codes(row));
    }
    moshi::LmFrame frame;
    for (const int64_t row : active) {
      sessions_[row]->await(frame);
      result(row, frame);
    }
  }

 private:
  moshi::ExecutionContext& context_;
  std::vector<std::unique_ptr<moshi::LmSession>> sessions_;
};

void run(const GenerateOptions& options) {
  const auto context = acquire_context(options);
  const moshi::LmInfo& lm = context->lm();
  const auto file = open_tensors(options.input);
  const auto codes = read_codes(file, options.input, "codes", {-1, lm.user_codebooks, -1},
                                "[B, " + std::to_string(lm.user_codebooks) + ", T]");
  check_range(options.input, codes.values, 0, lm.card);
  const int64_t batch = codes.shape[0];
  const int64_t steps = codes.shape[2];
  const auto exec_mask = read_mask(file, options.input, "exec_mask", {steps, batch});
  const auto reset = read_mask(file, options.input, "reset", {steps, batch});

  OutputFile output(options.output);
  Progress progress(options.quiet);
  moshi::LmOptions load = lm_options(options);
  load.max_sessions = static_cast<int>(batch);
  context->load_lm(load, progress_handler(progress, "loading"));
  moshi::Sampling sampling = lm.sampling;
  sampling.greedy = options.greedy;
  sampling.seed = options.seed;
  if (options.cfg_coef > 0) sampling.cfg_coef = static_cast<float>(options.cfg_coef);
  Rows rows(*context, {.sampling = sampling, .conditions = parse_conditions(options.conditions)}, batch);

  const int64_t streams = 1 + lm.output_codebooks;
  std::vector<int64_t> tokens(static_cast<size_t>(batch * streams * steps), -2);
  std::vector<uint16_t> column(static_cast<size_t>(lm.user_codebooks));
  for (int64_t t = 0; t < steps; ++t) {
    std::vector<int64_t> active;
    for (int64_t b = 0; b < batch; ++b) {
      if (reset && reset->values[t * batch + b] != 0) rows.reset(b);
      if (!exec_mask || exec_mask->values[t * batch + b] != 0) active.push_back(b);
    }
    const auto codes_of = [&](int64_t b) {
      for (int64_t k = 0; k < lm.user_codebooks; ++k) {
        column[k] = static_cast<uint16_t>(codes.values[(b * lm.user_codebooks + k) * steps + t]);
      }
      return std::span<const uint16_t>(column);
    };
    rows.step(active, codes_of, [&](int64_t b, const moshi::LmFrame& frame) {
      if (!frame.ready) return;
      tokens[b * streams * steps + t] = frame.text;
      for (int k = 0; k < lm.output_codebooks; ++k)
        tokens[(b * streams + 1 + k) * steps + t] = frame.audio[k];
    });
    progress.show("generating", static_cast<double>(t + 1) / static_cast<double>(steps));
  }

  const std::vector<moshi::checkpoint::TensorToWrite> tensors = {
      tensor_to_write("tokens", moshi::checkpoint::Dtype::I64, {batch, streams, steps}, tokens)};
  moshi::checkpoint::write_safetensors(output.temporary(), tensors);
  output.commit();
  progress.clear();
  if (options.json) {
    print_result(nlohmann::json{{"output", options.output}, {"batch", batch}, {"steps", steps}});
  }
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  auto* command = app.add_subcommand("generate", "Step the language model over given codes");
  command
      ->add_option("--input", options->input,
                   "safetensors with `codes`, I64 [B, n_q - dep_q, T]; optional U8 [T, B]: `exec_mask`, and "
                   "`reset`, which applies before its step")
      ->required();
  command
      ->add_option("--output", options->output,
                   "safetensors to write: `tokens`, I64 [B, 1 + dep_q, T], -2 where there is none")
      ->required();
  add_sampling_options(*command, *options);
  add_common_options(*command, *options);
  command->footer(
      "Example:\n  gst-moshi generate --model DIR --input codes.safetensors --output tokens.safetensors "
      "--greedy");
  command->callback([options] { run(*options); });
}
