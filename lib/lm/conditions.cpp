// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/conditions.h"

#include <algorithm>

#include "checkpoint/sha256.h"

namespace moshi::lm {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

/// The digest as a big integer modulo `bins` (hash_trick).
int64_t hashed_bin(const std::string& value, int64_t bins) {
  int64_t bin = 0;
  for (const char digit : checkpoint::sha256_hex(value)) {
    bin = (bin * 16 + (digit <= '9' ? digit - '0' : digit - 'a' + 10)) % bins;
  }
  return bin;
}

int64_t bin_of(const checkpoint::ConditionerConfig& config, const std::string& value) {
  if (config.possible_values.empty()) {
    return hashed_bin(value, config.n_bins);
  }
  const auto& values = config.possible_values;
  const auto found = std::find(values.begin(), values.end(), value);
  if (found == values.end()) {
    throw Error(ErrorCode::Settings, "condition " + config.name + ": expected one of " + joined(values) +
                                         ", found " + value + ": choose one of them");
  }
  return found - values.begin();
}

}  // namespace

ConditionSum::ConditionSum(const checkpoint::LmConfig& config, const nn::Weights& weights) {
  const int64_t dim = config.temporal.dim;
  for (const std::string& name : config.fuse_sum) {
    const auto& all = config.conditioners;
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.name == name; });
    if (found == all.end()) {
      throw Error(ErrorCode::Settings,
                  "fuser: expected a conditioner named " + name + ", found none in config.json");
    }
    const nn::Weights scope = weights[name];
    tables_.push_back({*found, scope.get("embed.weight", {found->n_bins + 1, found->dim}, at::kFloat),
                       scope.get("output_proj.weight", {dim, found->dim}, at::kFloat),
                       scope.get("learnt_padding", {1, 1, dim}, at::kFloat).view({1, dim})});
  }
}

at::Tensor ConditionSum::operator()(const Conditions& conditions) const {
  for (const auto& [name, value] : conditions) {
    const auto known = [&name = name](const Table& table) { return table.config.name == name; };
    if (std::none_of(tables_.begin(), tables_.end(), known)) {
      std::vector<std::string> names;
      for (const Table& table : tables_) {
        names.push_back(table.config.name);
      }
      throw Error(ErrorCode::Settings, "expected a condition of this model (" +
                                           (names.empty() ? std::string("it has none") : joined(names)) +
                                           "), found " + name + ": leave it out or choose one of them");
    }
  }
  at::Tensor sum;
  for (const Table& table : tables_) {
    const auto given = std::find_if(conditions.begin(), conditions.end(), [&](const auto& condition) {
      return condition.first == table.config.name;
    });
    const at::Tensor one =
        given == conditions.end()
            ? table.padding
            : at::linear(table.embedding.narrow(0, bin_of(table.config, given->second), 1), table.projection);
    sum = sum.defined() ? sum + one : one;
  }
  return sum;
}

}  // namespace moshi::lm
