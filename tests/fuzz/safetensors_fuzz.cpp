// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Any bytes are a sound safetensors file or give an Error; all tensors of a sound one can be read.
#include <cstdlib>

#include "checkpoint/safetensors.h"
#include "moshi/moshi.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto file = moshi::checkpoint::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
    unsigned sum = 0;
    size_t total = 0;
    for (const auto& [name, tensor] : file.tensors()) {
      for (const std::byte byte : tensor.data) sum += std::to_integer<unsigned>(byte);
      total += tensor.data.size();
    }
    if (total > size) std::abort();  // Tensors never share bytes.
    volatile unsigned keep = sum;
    static_cast<void>(keep);
  } catch (const moshi::Error&) {
    return 0;
  }
  return 0;
}
