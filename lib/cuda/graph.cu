// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/graph.h"

#include <cuda_runtime.h>

#include <atomic>
#include <string>

#include "moshi/moshi.h"

namespace moshi::cuda {
namespace {

std::atomic<uint64_t> made = 0;

cudaStream_t raw(const Stream& stream) { return static_cast<cudaStream_t>(stream.get()); }

}  // namespace

void check(int status, const char* what) {
  if (status == cudaSuccess) return;
  const auto error = static_cast<cudaError_t>(status);
  throw Error(ErrorCode::Failed, std::string(what) + " failed: CUDA error " + std::to_string(status) + ", " +
                                     cudaGetErrorString(error) +
                                     ": restart, and report it if it comes again");
}

uint64_t captures() { return made; }

void synchronize() { check(cudaDeviceSynchronize(), "computing on the CUDA device"); }

Stream::Stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a CUDA stream");
  stream_ = stream;
  int device = 0;
  int major = 0;
  check(cudaGetDevice(&device), "asking for the CUDA device");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "asking the CUDA device");
  can_overlap_ = major >= 9;
}

Stream::~Stream() { cudaStreamDestroy(static_cast<cudaStream_t>(stream_)); }

void Stream::copy(void* to, const void* from, size_t bytes) const {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, raw(*this)),
        "copying to or from the CUDA device");
}

void Stream::fill(void* to, int byte, size_t bytes) const {
  check(cudaMemsetAsync(to, byte, bytes, raw(*this)), "filling memory of the CUDA device");
}

void Stream::wait() const { check(cudaStreamSynchronize(raw(*this)), "computing on the CUDA device"); }

Graph::Graph(const Stream& stream, const std::function<void()>& launches) {
  check(cudaStreamBeginCapture(raw(stream), cudaStreamCaptureModeThreadLocal), "capturing a CUDA graph");
  cudaGraph_t graph = nullptr;
  try {
    launches();
  } catch (...) {
    cudaStreamEndCapture(raw(stream), &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  check(cudaStreamEndCapture(raw(stream), &graph), "capturing a CUDA graph");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "making a CUDA graph");
  executable_ = executable;
  ++made;
}

Graph::~Graph() { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(executable_)); }

void Graph::start(const Stream& stream) const {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable_), raw(stream)), "starting a CUDA graph");
}

}  // namespace moshi::cuda
