// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Any text is a configuration that makes sense or gives an Error of one line.
#include <cstdlib>
#include <cstring>

#include "checkpoint/config.h"
#include "moshi/moshi.h"

namespace {

template <typename Parse>
void check(Parse parse) {
  try {
    parse();
  } catch (const moshi::Error& error) {
    if (std::strchr(error.what(), '\n') != nullptr) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = (moshi::set_warning_handler([](const std::string&) {}), true);
  static_cast<void>(quiet);
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  check([&] {
    const auto config = moshi::checkpoint::parse_model_config(json, "config.json");
    if (config.lm.max_delay() < 0 || config.lm.n_q < config.lm.dep_q || config.lm.depth.weight_sets() < 1)
      std::abort();
  });
  check([&] {
    if (moshi::checkpoint::parse_mimi_config(json, "mimi.json").frame_size() < 1) std::abort();
  });
  return 0;
}
