// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>

namespace batch {

/// One of `count` processes that share a manifest. Which recordings are whose follows from their ids alone.
struct Shard {
  unsigned index = 0;
  unsigned count = 1;
  [[nodiscard]] bool has(const std::string& id) const;
  /// "report.jsonl", or the shard's own: "report.2-of-8.jsonl".
  [[nodiscard]] std::string report_name() const;
};

/// "i/n"; "auto/n" takes i from the engine that started this process (Slurm's array, a Kubernetes indexed
/// job, GNU parallel). i counts from 0 or from 1: n stands for 0. Throws Failure.
Shard parse_shard(const std::string& text);

}  // namespace batch
