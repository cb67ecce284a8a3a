// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

double Durations::quantile(double fraction) const {
  if (ms.empty()) return 0;
  std::vector<double> sorted = ms;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

Callers::Callers(moshi::ExecutionContext& context, int batch)
    : context_(context),
      pcm_(static_cast<size_t>(context.codec().frame_size)),
      user_codes_(static_cast<size_t>(context.lm().user_codebooks)),
      output_codes_(static_cast<size_t>(context.lm().output_codebooks)) {
  // A tone: the codec's cost does not depend on what it hears.
  for (size_t i = 0; i < pcm_.size(); ++i) pcm_[i] = 0.1F * std::sin(0.05F * static_cast<float>(i));
  const moshi::LmInfo& lm = context.lm();
  for (int i = 0; i < batch; ++i) {
    encoders_.push_back(context.open_encoder(lm.user_codebooks));
    models_.push_back(context.open_lm({.sampling = lm.sampling}));
    if (lm.dep_q > 0) decoders_.push_back(context.open_decoder(lm.output_codebooks));
  }
}

double Callers::encode() {
  const auto start = Clock::now();
  {
    const auto hold = context_.hold();
    for (const auto& session : encoders_) session->submit(pcm_);
  }
  for (const auto& session : encoders_) session->await(user_codes_);
  return milliseconds_since(start);
}

double Callers::step() {
  const auto start = Clock::now();
  {
    const auto hold = context_.hold();
    for (const auto& session : models_) session->submit(user_codes_);
  }
  moshi::LmFrame frame;
  for (const auto& session : models_) session->await(frame);
  const double elapsed = milliseconds_since(start);
  if (frame.ready) {
    for (size_t k = 0; k < output_codes_.size(); ++k)
      output_codes_[k] = static_cast<uint16_t>(frame.audio[k]);
  }
  return elapsed;
}

double Callers::decode() {
  const auto start = Clock::now();
  {
    const auto hold = context_.hold();
    for (const auto& session : decoders_) session->submit(output_codes_);
  }
  for (const auto& session : decoders_) session->await(pcm_);
  return milliseconds_since(start);
}

void Callers::frame(FrameTimes& times) {
  const auto start = Clock::now();
  times.encode.ms.push_back(encode());
  times.lm.ms.push_back(step());
  times.decode.ms.push_back(decode());
  times.frame.ms.push_back(milliseconds_since(start));
}
