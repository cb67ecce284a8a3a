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

double Samples::quantile(double fraction) const {
  if (values.empty()) return 0;
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

Callers::Callers(moshi::ExecutionContext& context, int batch, int history, int span)
    : context_(context),
      history_(history),
      span_(span),
      heard_(static_cast<size_t>(context.codec().frame_size)),
      said_(heard_.size()),
      user_codes_(static_cast<size_t>(context.lm().user_codebooks)),
      output_codes_(static_cast<size_t>(context.lm().output_codebooks)) {
  // A tone: the codec's cost does not depend on what it hears.
  for (size_t i = 0; i < heard_.size(); ++i) heard_[i] = 0.1F * std::sin(0.05F * static_cast<float>(i));
  const moshi::LmInfo& lm = context.lm();
  for (int i = 0; i < batch; ++i) {
    encoders_.push_back(context.open_encoder(lm.user_codebooks));
    models_.push_back(context.open_lm({.sampling = lm.sampling, .history = history}));
    if (lm.dep_q > 0) decoders_.push_back(context.open_decoder(lm.output_codebooks));
  }
}

double Callers::encode() {
  const auto start = Clock::now();
  {
    const auto hold = context_.hold();
    for (const auto& session : encoders_) session->submit(heard_);
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
  ++steps_;
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
  for (const auto& session : decoders_) session->await(said_);
  return milliseconds_since(start);
}

void Callers::stay_near() {
  if (span_ > 0 && steps_ >= span_) restart();
}

void Callers::restart() {
  for (const auto& session : models_) session->reset();
  step();
  steps_ = 1;
}

int Callers::positions() const {
  const int reached = history_ + steps_ + 1;
  const int context = context_.lm().context;
  return context > 0 ? std::min(reached, context) : reached;
}

void Callers::frame(FrameTimes& times) {
  stay_near();
  const auto start = Clock::now();
  times.encode.values.push_back(encode());
  times.lm.values.push_back(step());
  times.decode.values.push_back(decode());
  times.frame.values.push_back(milliseconds_since(start));
}
