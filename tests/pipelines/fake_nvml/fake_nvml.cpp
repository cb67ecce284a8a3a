// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A driver's management library with one GPU, in NVML's interface. FAKE_NVML_STATUS: what it answers to
// nvmlInit.
#include <unistd.h>

#include <cstdlib>
#include <cstring>

struct Memory {
  unsigned long long total, free, used;
};
struct ProcessInfo {
  unsigned pid;
  unsigned long long used;
  unsigned instance, compute_instance;
};
using Handle = void*;

namespace {

int gpu = 0;

int write(const char* text, char* buffer, unsigned size) {
  if (std::strlen(text) >= size) return 7;
  std::strcpy(buffer, text);
  return 0;
}

template <typename T>
int give(T* place, T value) {
  *place = value;
  return 0;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  const char* status = std::getenv("FAKE_NVML_STATUS");
  return status == nullptr ? 0 : std::atoi(status);
}
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int status) {
  return status == 18 ? "Driver/library version mismatch" : "Unknown Error";
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) { return write("580.95.05", text, size); }
int nvmlSystemGetCudaDriverVersion_v2(int* version) { return give(version, 13000); }
int nvmlDeviceGetCount_v2(unsigned* count) { return give(count, 1U); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Handle* device) {
  return index == 0 ? give<Handle>(device, &gpu) : 2;
}
int nvmlDeviceGetName(Handle device, char* text, unsigned size) {
  return device == &gpu ? write("NVIDIA Fake 5090", text, size) : 2;
}
int nvmlDeviceGetCudaComputeCapability(Handle, int* major, int* minor) {
  return give(major, 12) + give(minor, 0);
}
int nvmlDeviceGetMemoryInfo(Handle, Memory* memory) {
  return give(memory, Memory{32'000'000'000, 30'000'000'000, 2'000'000'000});
}
int nvmlDeviceGetMaxClockInfo(Handle, int type, unsigned* megahertz) {
  return type == 2 ? give(megahertz, 14001U) : 2;
}
int nvmlDeviceGetMemoryBusWidth(Handle, unsigned* bits) { return give(bits, 512U); }
int nvmlDeviceGetComputeMode(Handle, int* mode) { return give(mode, 3); }
int nvmlDeviceGetMigMode(Handle, unsigned*, unsigned*) { return 3; }  // Not supported.
int nvmlDeviceGetPersistenceMode(Handle, int* mode) { return give(mode, 0); }
/// The process that started the tool.
int nvmlDeviceGetComputeRunningProcesses_v3(Handle, unsigned* count, ProcessInfo* processes) {
  if (*count < 1) return 7;
  processes[0] = {static_cast<unsigned>(getppid()), 1'572'864'000, 0, 0};
  return give(count, 1U);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Handle, unsigned* count, ProcessInfo*) {
  return give(count, 0U);
}

}  // extern "C"
