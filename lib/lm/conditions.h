// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "checkpoint/config.h"
#include "moshi/moshi.h"
#include "nn/weights.h"

namespace moshi::lm {

/// The lookup-table conditions a model takes, all added to its input at every step. Reference:
/// moshi/conditioners/base.py (BaseConditioner.forward, ConditionFuser.get_sum) and
/// moshi/conditioners/text.py (LUTConditioner, NoopTokenizer).
class ConditionSum {
 public:
  /// `weights` is the scope `condition_provider.conditioners`.
  ConditionSum(const checkpoint::LmConfig& config, const nn::Weights& weights);
  [[nodiscard]] bool empty() const { return tables_.empty(); }
  /// The sum of all conditions, f32 [1, dim]; a condition without a value counts as its learnt
  /// padding. Throws Settings for a name or value the model does not know.
  [[nodiscard]] at::Tensor operator()(const Conditions& conditions) const;

 private:
  struct Table {
    checkpoint::ConditionerConfig config;
    at::Tensor embedding;   ///< [n_bins + 1, width]
    at::Tensor projection;  ///< [dim, width]
    at::Tensor padding;     ///< [1, dim]
  };
  std::vector<Table> tables_;
};

}  // namespace moshi::lm
