// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "batch/shard.h"

#include <cstdlib>
#include <regex>

#include "checkpoint/sha256.h"
#include "report.h"

namespace batch {
namespace {

/// What the engine that started this process calls it.
std::string index_of_environment() {
  for (const char* name : {"SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "PARALLEL_SEQ"}) {
    if (const char* value = std::getenv(name)) return value;
  }
  throw Failure(Status::Usage,
                "--shard auto/N: expected SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX or PARALLEL_SEQ in the "
                "environment, found none of them; give --shard I/N");
}

}  // namespace

bool Shard::has(const std::string& id) const {
  const std::string digits = moshi::checkpoint::sha256_hex(id).substr(0, 8);
  return std::stoul(digits, nullptr, 16) % count == index;
}

std::string Shard::report_name() const {
  if (count == 1) return "report.jsonl";
  return "report." + std::to_string(index) + "-of-" + std::to_string(count) + ".jsonl";
}

Shard parse_shard(const std::string& text) {
  static const std::regex form("(auto|[0-9]{1,6})/([1-9][0-9]{0,5})");
  std::smatch parts;
  if (!std::regex_match(text, parts, form)) {
    throw Failure(Status::Usage, "--shard: expected I/N or auto/N, found " + text);
  }
  const std::string index = parts[1] == "auto" ? index_of_environment() : parts[1].str();
  const auto count = static_cast<unsigned>(std::stoul(parts[2]));
  static const std::regex number("[0-9]{1,6}");
  if (!std::regex_match(index, number) || std::stoul(index) > count) {
    throw Failure(Status::Usage,
                  "--shard: expected I from 0 to " + std::to_string(count) + " (which is 0), found " + index);
  }
  return {static_cast<unsigned>(std::stoul(index)) % count, count};
}

}  // namespace batch
