// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Prints the milliseconds encode and decode of one frame take at the published size, on one thread.
// Not a test: build and run it by hand, `ninja -C build tests/mimi/mimi_bench`.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <vector>

#include "checkpoint/config.h"
#include "mimi/codec.h"

namespace {

constexpr int kFrames = 200;

double milliseconds(auto&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void print(const char* what, std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  std::cout << what << " median " << times[times.size() / 2] << " ms, fastest " << times.front() << " ms\n";
}

}  // namespace

int main() {
  at::set_num_threads(1);
  const c10::InferenceMode guard;
  const auto config = moshi::checkpoint::builtin_config("7b").mimi;
  const moshi::mimi::Codec codec(
      config, std::make_shared<moshi::nn::RandomSource>(at::kFloat, moshi::nn::MatrixKind::Plain, 1));
  const auto row = moshi::nn::Rows::first(1, at::kCPU);
  auto encoder = codec.encoder().make_state(1);
  auto decoder = codec.decoder().make_state(1);
  std::vector<double> encode;
  std::vector<double> decode;
  for (int frame = 0; frame < kFrames; ++frame) {
    const at::Tensor pcm = at::randn({1, config.frame_size()}) * 0.1;
    at::Tensor codes;
    at::Tensor out;
    encode.push_back(milliseconds([&] { codes = codec.encoder().encode(pcm, 8, encoder, row); }));
    decode.push_back(milliseconds([&] { out = codec.decoder().decode(codes, decoder, row); }));
  }
  print("encode", encode);
  print("decode", decode);
}
