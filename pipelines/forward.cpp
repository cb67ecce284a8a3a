// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi forward`: teacher forcing, for comparing logits with other implementations.
#include <algorithm>

#include "options.h"
#include "output_file.h"
#include "report.h"
#include "tensors.h"

namespace {

using moshi::checkpoint::Dtype;

struct ForwardOptions : CommonOptions {
  std::string input;
  std::string output;
  bool streaming = false;
};

/// Masked positions have no value; files hold 0 there.
void clear_masked(std::vector<float>& logits, const std::vector<uint8_t>& mask) {
  if (mask.empty()) return;
  const size_t width = logits.size() / mask.size();
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) std::fill_n(logits.begin() + static_cast<ptrdiff_t>(i * width), width, 0.0F);
  }
}

void run(const ForwardOptions& options) {
  const auto context = acquire_context(options);
  const moshi::LmInfo& lm = context->lm();
  const auto file = open_tensors(options.input);
  const auto codes = read_codes(file, options.input, "codes", {-1, lm.n_q + 1, -1},
                                "[B, " + std::to_string(lm.n_q + 1) + ", T]");
  const int64_t batch = codes.shape[0];
  const int64_t steps = codes.shape[2];

  OutputFile output(options.output);
  Progress progress(options.quiet);
  context->load_lm(lm_options(options), progress_handler(progress, "loading"));
  auto result =
      context->forward(codes.values, static_cast<int>(batch), static_cast<int>(steps), options.streaming);
  clear_masked(result.logits, result.mask);
  clear_masked(result.text_logits, result.text_mask);

  const std::vector<moshi::checkpoint::TensorToWrite> tensors = {
      tensor_to_write("logits", Dtype::F32, {batch, lm.dep_q, steps, lm.card}, result.logits),
      tensor_to_write("mask", Dtype::U8, {batch, lm.dep_q, steps}, result.mask),
      tensor_to_write("text_logits", Dtype::F32, {batch, 1, steps, lm.text_card_out}, result.text_logits),
      tensor_to_write("text_mask", Dtype::U8, {batch, 1, steps}, result.text_mask)};
  moshi::checkpoint::write_safetensors(output.temporary(), tensors);
  output.commit();
  progress.clear();
  if (options.json) {
    print_result(nlohmann::json{{"output", options.output}, {"batch", batch}, {"steps", steps}});
  }
}

}  // namespace

void add_forward(CLI::App& app) {
  auto options = std::make_shared<ForwardOptions>();
  auto* command = app.add_subcommand("forward", "Compute teacher-forced logits of given codes");
  command->add_option("--input", options->input, "safetensors with `codes`, I64 [B, n_q + 1, T] (row 0 text)")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--output", options->output,
                   "safetensors to write: `logits`, `text_logits` (F32, 0 where masked), `mask`, `text_mask`")
      ->required();
  command->add_flag("--streaming", options->streaming, "One step at a time, through the KV ring");
  add_common_options(*command, *options);
  command->footer(
      "Example:\n  gst-moshi forward --model DIR --input codes.safetensors --output logits.safetensors");
  command->callback([options] { run(*options); });
}
