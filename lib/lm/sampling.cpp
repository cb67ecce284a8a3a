// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/sampling.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/tokens/philox.h"
#include "cuda/tokens/sampling.h"
#include "moshi/moshi.h"

namespace moshi::lm {
namespace {

at::Tensor race_on_cpu(const at::Tensor& probabilities, const at::Tensor& candidates, const at::Tensor& top_k,
                       const at::Tensor& seeds, const at::Tensor& steps, uint32_t stream) {
  const int64_t batch = probabilities.size(0);
  const int64_t width = probabilities.size(1);
  at::Tensor tokens = at::empty({batch}, candidates.options());
  const auto* probability = probabilities.const_data_ptr<float>();
  const auto* candidate = candidates.const_data_ptr<int64_t>();
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t limit = std::min(top_k.const_data_ptr<int64_t>()[b], width);
    const auto seed = static_cast<uint64_t>(seeds.const_data_ptr<int64_t>()[b]);
    const auto step = static_cast<uint64_t>(steps.const_data_ptr<int64_t>()[b]);
    float best = -1;
    int64_t winner = 0;
    for (int64_t i = 0; i < limit; ++i) {
      const auto token = static_cast<uint32_t>(candidate[b * width + i]);
      const float score = probability[b * width + i] / cuda::exponential(seed, step, stream, token);
      if (score > best) {
        best = score;
        winner = i;
      }
    }
    tokens.mutable_data_ptr<int64_t>()[b] = candidate[b * width + winner];
  }
  return tokens;
}

at::Tensor race_on_cuda([[maybe_unused]] const at::Tensor& probabilities,
                        [[maybe_unused]] const at::Tensor& candidates,
                        [[maybe_unused]] const at::Tensor& top_k, [[maybe_unused]] const at::Tensor& seeds,
                        [[maybe_unused]] const at::Tensor& steps, [[maybe_unused]] uint32_t stream) {
#ifdef MOSHI_CUDA
  at::Tensor tokens = at::empty({probabilities.size(0)}, candidates.options());
  const c10::DeviceGuard device(probabilities.device());
  const c10::Stream current = c10::impl::VirtualGuardImpl(at::kCUDA).getStream(probabilities.device());
  const int status =
      cuda::race(probabilities.const_data_ptr<float>(), candidates.const_data_ptr<int64_t>(),
                 top_k.const_data_ptr<int64_t>(), seeds.const_data_ptr<int64_t>(),
                 steps.const_data_ptr<int64_t>(), stream, probabilities.size(0), probabilities.size(1),
                 tokens.mutable_data_ptr<int64_t>(), current.native_handle());
  if (status != 0) {
    throw Error(ErrorCode::Failed, "sampling kernel failed with CUDA error " + std::to_string(status));
  }
  return tokens;
#else
  throw Error(ErrorCode::NoDevice, "expected a build with CUDA, found a CPU build: run scripts/setup --cuda");
#endif
}

}  // namespace

Sampler::Sampler(std::span<const SamplingRow> rows, at::Device device) {
  std::vector<float> temperatures;
  std::vector<int64_t> top_k;
  std::vector<int64_t> seeds;
  std::vector<int64_t> steps;
  bool whole = false;
  for (const SamplingRow& row : rows) {
    const bool greedy = row.temperature <= 0;
    greedy_ = greedy_ && greedy;
    whole = whole || (!greedy && row.top_k <= 0);
    // The most probable token alone in the race is the greedy choice.
    temperatures.push_back(greedy ? 1.0F : row.temperature);
    top_k.push_back(greedy ? 1 : row.top_k > 0 ? row.top_k : std::numeric_limits<int64_t>::max());
    seeds.push_back(static_cast<int64_t>(row.seed));
    steps.push_back(row.step);
    widest_ = std::max(widest_, top_k.back());
  }
  if (whole) {
    widest_ = 0;
  }
  if (greedy_) {
    return;
  }
  temperatures_ = at::tensor(temperatures).unsqueeze(1).to(device);
  top_k_ = at::tensor(top_k, at::kLong).to(device);
  seeds_ = at::tensor(seeds, at::kLong).to(device);
  steps_ = at::tensor(steps, at::kLong).to(device);
}

at::Tensor Sampler::sample(const at::Tensor& logits, uint32_t stream) const {
  if (greedy_) {
    return logits.to(at::kFloat).argmax(-1);
  }
  const at::Tensor all = at::softmax(logits.to(at::kFloat) / temperatures_, -1);
  const int64_t width = widest_ == 0 ? all.size(1) : std::min(widest_, all.size(1));
  const auto [probabilities, candidates] = all.topk(width, -1);
  return logits.is_cuda() ? race_on_cuda(probabilities, candidates, top_k_, seeds_, steps_, stream)
                          : race_on_cpu(probabilities, candidates, top_k_, seeds_, steps_, stream);
}

}  // namespace moshi::lm
