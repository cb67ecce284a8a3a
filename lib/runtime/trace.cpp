// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "moshi/moshi.h"

namespace moshi::runtime {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;
using torch::profiler::impl::ProfilerConfig;
using torch::profiler::impl::ProfilerState;

namespace {

std::set<ActivityType> activities(bool cuda) {
  return cuda ? std::set{ActivityType::CPU, ActivityType::CUDA} : std::set{ActivityType::CPU};
}

}  // namespace

void prepare_trace(bool cuda) {
  setenv("KINETO_LOG_LEVEL", "5", 0);  // It has words on stderr for a missing driver, among others.
  profiler::prepareProfiler(ProfilerConfig(ProfilerState::KINETO), activities(cuda));
}

void start_trace(bool cuda) {
  profiler::enableProfiler(ProfilerConfig(ProfilerState::KINETO), activities(cuda),
                           {at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE});
}

void stop_trace(const std::string& path) {
  const auto result = profiler::disableProfiler();
  if (!std::ofstream(path)) {  // The profiler itself would say nothing.
    throw Error(ErrorCode::NotFound,
                "expected a place for the trace that can be written, found " + path + ": name another");
  }
  result->save(path);
}

}  // namespace moshi::runtime
