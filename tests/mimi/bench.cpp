// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Prints the milliseconds encode and decode of one frame take at the published size: of one stream on one
// thread of the CPU, or with the argument `cuda` of 1 to 64 streams on the GPU, from host memory to host
// memory. Not a test: build and run it by hand, `ninja -C build tests/mimi/mimi_bench`.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string_view>
#include <vector>

#include "checkpoint/config.h"
#include "mimi/streams.h"

namespace {

using moshi::mimi::DecodeRow;
using moshi::mimi::EncodeRow;

constexpr int kFrames = 200;
constexpr int kCodebooks = 8;

double milliseconds(auto&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void print(const char* what, size_t streams, std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  std::cout << what << ' ' << streams << ": median " << times[times.size() / 2] << " ms, fastest "
            << times.front() << " ms\n";
}

/// `batch` streams at a time.
void measure(moshi::mimi::Streams& streams, size_t batch, size_t frame_size) {
  streams.encoder->grow(static_cast<int64_t>(batch), kCodebooks);
  streams.decoder->grow(static_cast<int64_t>(batch));
  const at::Tensor noise = at::randn({static_cast<int64_t>(batch * frame_size)}) * 0.1;
  std::vector<float> pcm(noise.const_data_ptr<float>(), noise.const_data_ptr<float>() + noise.numel());
  std::vector<int64_t> codes(batch * kCodebooks);
  std::vector<EncodeRow> to_encode;
  std::vector<DecodeRow> to_decode;
  for (size_t i = 0; i < batch; ++i) {
    const std::span<float> sound(pcm.data() + i * frame_size, frame_size);
    const std::span<int64_t> code(codes.data() + i * kCodebooks, kCodebooks);
    to_encode.push_back({static_cast<int64_t>(i), sound, code});
    to_decode.push_back({static_cast<int64_t>(i), code, sound});
  }
  std::vector<double> encode;
  std::vector<double> decode;
  for (int frame = 0; frame < kFrames; ++frame) {
    encode.push_back(milliseconds([&] { streams.encoder->encode(to_encode); }));
    decode.push_back(milliseconds([&] { streams.decoder->decode(to_decode); }));
  }
  print("encode", batch, encode);
  print("decode", batch, decode);
}

}  // namespace

int main(int argc, char** argv) {
  const bool cuda = argc > 1 && std::string_view(argv[1]) == "cuda";
  const at::Device device = cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  at::set_num_threads(1);
  const c10::InferenceMode guard;
  const auto config = moshi::checkpoint::builtin_config("7b").mimi;
  const auto source = std::make_shared<moshi::nn::RandomSource>(at::TensorOptions(at::kFloat).device(device),
                                                                moshi::nn::MatrixKind::Plain, 1);
  moshi::mimi::Codec codec(config, source);
  moshi::mimi::Streams streams = moshi::mimi::make_streams(codec, kCodebooks, true);
  const std::vector<size_t> batches =
      cuda ? std::vector<size_t>{1, 2, 4, 8, 16, 32, 64} : std::vector<size_t>{1};
  for (const size_t batch : batches) measure(streams, batch, static_cast<size_t>(config.frame_size()));
}
