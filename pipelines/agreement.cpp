// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "agreement.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "measure.h"

namespace {

using nlohmann::ordered_json;

struct Choice {
  size_t token = 0;
  double margin = 0;  ///< Before the second.
};

Choice choice_of(std::span<const float> logits) {
  const auto best = std::max_element(logits.begin(), logits.end());
  float second = -INFINITY;
  for (auto logit = logits.begin(); logit != logits.end(); ++logit) {
    if (logit != best) second = std::max(second, *logit);
  }
  return {static_cast<size_t>(best - logits.begin()), static_cast<double>(*best) - second};
}

ordered_json compared(const std::vector<float>& exact, const std::vector<float>& other,
                      const std::vector<uint8_t>& mask) {
  const size_t width = mask.empty() ? 0 : exact.size() / mask.size();
  Samples margins;
  size_t same = 0;
  double largest = 0;
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) continue;
    const Choice first = choice_of(std::span(exact).subspan(i * width, width));
    margins.values.push_back(first.margin);
    if (first.token == choice_of(std::span(other).subspan(i * width, width)).token) {
      ++same;
    } else {
      largest = std::max(largest, first.margin);
    }
  }
  const size_t count = margins.values.size();
  return {{"count", count},
          {"same", count == 0 ? 1.0 : static_cast<double>(same) / static_cast<double>(count)},
          {"margin_1_percent", margins.quantile(0.01)},
          {"margin_10_percent", margins.quantile(0.1)},
          {"margin_median", margins.median()},
          {"largest_margin_of_another", largest}};
}

/// A conversation over random codes of the user, as the model's own forward() takes it: [n_q + 1, steps].
std::vector<int64_t> converse(moshi::ExecutionContext& context, int steps) {
  const moshi::LmInfo& lm = context.lm();
  moshi::Sampling sampling = lm.sampling;
  sampling.seed = 1;
  const auto session = context.open_lm({.sampling = sampling});
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int> code(0, lm.card - 1);
  std::vector<uint16_t> heard(static_cast<size_t>(lm.user_codebooks));
  const auto rows = static_cast<size_t>(lm.n_q) + 1;
  std::vector<int64_t> codes(rows * static_cast<size_t>(steps));
  moshi::LmFrame said;
  for (size_t step = 0; step < static_cast<size_t>(steps);) {
    for (uint16_t& one : heard) one = static_cast<uint16_t>(code(random));
    session->submit(heard);
    session->await(said);
    if (!said.ready) continue;
    std::vector<int64_t> column = {said.text};
    column.insert(column.end(), said.audio.begin(), said.audio.end());
    column.insert(column.end(), heard.begin(), heard.end());
    for (size_t row = 0; row < rows; ++row) codes[row * static_cast<size_t>(steps) + step] = column[row];
    ++step;
  }
  return codes;
}

}  // namespace

ordered_json compare_choices(moshi::ExecutionContext& exact, moshi::ExecutionContext& other, int steps) {
  const std::vector<int64_t> codes = converse(exact, steps);
  const moshi::ForwardResult one = exact.forward(codes, 1, steps, false);
  const moshi::ForwardResult two = other.forward(codes, 1, steps, false);
  return {{"precisions", {exact.stats().precision, other.stats().precision}},
          {"text", compared(one.text_logits, two.text_logits, one.text_mask)},
          {"audio", compared(one.logits, two.logits, one.mask)}};
}
